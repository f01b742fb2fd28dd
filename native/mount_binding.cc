// unmount(path, lazy) → errno; loopLabel(device) → how whoever attached a loop device called it

#include <cerrno>

#include <fcntl.h>
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <unistd.h>

#include "bindings.h"

namespace native
{
namespace
{

Napi::Value unmount(const Napi::CallbackInfo &info)
{
	int flags = UMOUNT_NOFOLLOW | (info[1].ToBoolean() ? MNT_DETACH : 0);
	int error = umount2(bytes_of(info[0]).c_str(), flags) < 0 ? errno : 0;
	return Napi::Number::New(info.Env(), error);
}

Napi::Value loop_label(const Napi::CallbackInfo &info)
{
	struct loop_info64 device = {};
	int fd = open(bytes_of(info[0]).c_str(), O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		if (ioctl(fd, LOOP_GET_STATUS64, &device) < 0)
			device.lo_file_name[0] = 0;
		close(fd);
	}
	device.lo_file_name[LO_NAME_SIZE - 1] = 0;
	return byte_string(info.Env(), reinterpret_cast<const char *>(device.lo_file_name));
}

} // namespace

void export_mount(Napi::Env env, Napi::Object exports)
{
	exports.Set("unmount", Napi::Function::New(env, unmount, "unmount"));
	exports.Set("loopLabel", Napi::Function::New(env, loop_label, "loopLabel"));
}

} // namespace native
