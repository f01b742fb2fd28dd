#include "scan.h"

#include <cerrno>
#include <cstring>
#include <memory>

#include <dirent.h>
#include <fcntl.h>
#include <sys/xattr.h>
#include <unistd.h>

namespace native
{
namespace
{

constexpr size_t xattr_max = 65536; // XATTR_LIST_MAX and XATTR_SIZE_MAX

bool fail(ScannedEntry &entry, const char *step)
{
	entry.error = errno;
	entry.step = step;
	return false;
}

bool read_target(int dir, ScannedEntry &entry)
{
	std::string buffer(4096, '\0');
	ssize_t size = readlinkat(dir, entry.name.c_str(), buffer.data(), buffer.size());
	if (size < 0)
		return fail(entry, "readlink");
	buffer.resize(static_cast<size_t>(size));
	entry.target = std::move(buffer);
	return true;
}

bool read_xattrs(const std::string &path, ScannedEntry &entry, bool user, char *names, char *value)
{
	ssize_t size = llistxattr(path.c_str(), names, xattr_max);
	if (size < 0)
		return errno == ENOTSUP || fail(entry, "listxattr");
	for (const char *name = names; name < names + size; name += strlen(name) + 1) {
		// A user namespace may refuse others: file capabilities give EOVERFLOW there.
		if (user && strncmp(name, "user.", 5) != 0)
			continue;
		ssize_t length = lgetxattr(path.c_str(), name, value, xattr_max);
		if (length < 0)
			return fail(entry, "getxattr");
		entry.xattrs.emplace_back(name, std::string(value, static_cast<size_t>(length)));
	}
	return true;
}

struct CloseDirectory {
	void operator()(DIR *dir) const
	{
		closedir(dir);
	}
};

} // namespace

std::vector<ScannedEntry> scan_directory(const std::string &path, bool user_xattrs,
					 const Cancellation &cancellation)
{
	auto failure = [&](const char *step) {
		return Failure{ Failure::Kind::read, errno, step, path };
	};
	int fd = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		throw failure("open");
	std::unique_ptr<DIR, CloseDirectory> dir(fdopendir(fd));
	if (!dir) {
		Failure thrown = failure("fdopendir");
		close(fd);
		throw thrown;
	}

	std::vector<char> names(xattr_max), value(xattr_max);
	std::vector<ScannedEntry> entries(1);
	if (fstat(fd, &entries[0].status) != 0)
		throw failure("fstat");
	read_xattrs(path, entries[0], user_xattrs, names.data(), value.data());
	for (;;) {
		cancellation.check();
		errno = 0;
		const struct dirent *found = readdir(dir.get());
		if (!found) {
			if (errno != 0)
				throw failure("readdir");
			return entries;
		}
		if (strcmp(found->d_name, ".") == 0 || strcmp(found->d_name, "..") == 0)
			continue;
		ScannedEntry &entry = entries.emplace_back();
		entry.name = found->d_name;
		if (fstatat(fd, found->d_name, &entry.status, AT_SYMLINK_NOFOLLOW) != 0) {
			fail(entry, "stat");
			continue;
		}
		if (S_ISLNK(entry.status.st_mode) && !read_target(fd, entry))
			continue;
		read_xattrs(path + "/" + entry.name, entry, user_xattrs, names.data(),
			    value.data());
	}
}

} // namespace native
