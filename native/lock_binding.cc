// tryLock(fd) → 0, or why the lock was not taken: an errno

#include <cerrno>

#include <sys/file.h>

#include "bindings.h"

namespace native
{
namespace
{

// The lock is of the open file: it ends with the last descriptor, so with the process too.
Napi::Value try_lock(const Napi::CallbackInfo &info)
{
	int fd = info[0].As<Napi::Number>().Int32Value();
	int error = flock(fd, LOCK_EX | LOCK_NB) < 0 ? errno : 0;
	return Napi::Number::New(info.Env(), error);
}

} // namespace

void export_lock(Napi::Env env, Napi::Object exports)
{
	exports.Set("tryLock", Napi::Function::New(env, try_lock, "tryLock"));
}

} // namespace native
