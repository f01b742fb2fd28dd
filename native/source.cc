#include "source.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <unistd.h>

#include "failure.h"

namespace native
{
namespace
{

[[noreturn]] void changed(const FileSpec &spec, std::string what)
{
	throw Failure{ Failure::Kind::changed, 0, std::move(what), spec.path() };
}

void check(const FileSpec &spec, const struct stat &now)
{
	if (!S_ISREG(now.st_mode))
		changed(spec, "it was replaced by something that is not a regular file");
	if (now.st_dev != spec.dev() || now.st_ino != spec.ino())
		changed(spec, "it was replaced by another file");
	if (static_cast<uint64_t>(now.st_size) != spec.file_size())
		changed(spec, "its size went from " + std::to_string(spec.file_size()) + " to " +
				      std::to_string(now.st_size) + " bytes");
	if (nanoseconds(now.st_mtim) != spec.mtime_ns())
		changed(spec, "it was written to");
	if (nanoseconds(now.st_ctim) != spec.ctime_ns())
		changed(spec, "its contents, mode, owner, links or attributes changed");
}

struct stat status(const FileSpec &spec, int fd)
{
	struct stat now;
	if (fstat(fd, &now) != 0)
		throw Failure{ Failure::Kind::read, errno, "fstat", spec.path() };
	return now;
}

} // namespace

int64_t nanoseconds(const struct timespec &time)
{
	return static_cast<int64_t>(time.tv_sec) * 1000000000 + time.tv_nsec;
}

Source::Source(const FileSpec &spec) : spec_(spec)
{
	if (spec.in_memory())
		return;
	fd_ = open(spec.path().c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	if (fd_ < 0) {
		int error = errno;
		if (error == ENOENT || error == ENOTDIR)
			changed(spec, "it disappeared");
		if (error == ELOOP || error == ENXIO)
			changed(spec, "it was replaced by something that is not a regular file");
		throw Failure{ Failure::Kind::read, error, "open", spec.path() };
	}
	try {
		struct stat now = status(spec, fd_);
		check(spec, now);
		sparse_ = !spec.is_changed() &&
			  static_cast<uint64_t>(now.st_blocks) * 512 < spec.file_size();
	} catch (...) {
		close(fd_);
		throw;
	}
}

Source::~Source()
{
	if (fd_ >= 0)
		close(fd_);
}

void Source::read(uint64_t offset, uint8_t *buffer, size_t size) const
{
	if (spec_.in_memory()) {
		memcpy(buffer, spec_.given->memory.data() + offset, size);
		return;
	}
	if (!spec_.is_changed()) {
		read_file(offset, buffer, size);
		return;
	}
	uint64_t end = offset + size;
	uint64_t in_file = offset < spec_.file_size() ? std::min(spec_.file_size(), end) - offset :
							0;
	read_file(offset, buffer, in_file);
	memset(buffer + in_file, 0, size - in_file);
	for (const FileSpec::Piece &piece : spec_.given->pieces) {
		uint64_t from = std::max(offset, piece.offset);
		uint64_t to = std::min<uint64_t>(end, piece.offset + piece.bytes.size());
		if (from < to)
			memcpy(buffer + (from - offset), piece.bytes.data() + (from - piece.offset),
			       to - from);
	}
}

void Source::read_file(uint64_t offset, uint8_t *buffer, size_t size) const
{
	offset += spec_.offset;
	while (size > 0) {
		ssize_t got = pread(fd_, buffer, size, static_cast<off_t>(offset));
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			throw Failure{ Failure::Kind::read, errno, "read", spec_.path() };
		if (got == 0)
			changed(spec_, "it became shorter than its " +
					       std::to_string(spec_.file_size()) + " bytes");
		buffer += got;
		offset += static_cast<size_t>(got);
		size -= static_cast<size_t>(got);
	}
}

bool Source::is_hole(uint64_t offset, size_t size) const
{
	if (!sparse_)
		return false;
	offset += spec_.offset;
	off_t data = lseek(fd_, static_cast<off_t>(offset), SEEK_DATA);
	if (data < 0)
		return errno == ENXIO; // No data from here to the end.
	return static_cast<uint64_t>(data) >= offset + size;
}

void Source::check_unchanged() const
{
	if (!spec_.in_memory())
		check(spec_, status(spec_, fd_));
}

} // namespace native
