#include "output.h"

#include <cerrno>

#include <unistd.h>

#include "failure.h"

namespace native
{
namespace
{

constexpr size_t buffer_size = 1 << 20;

} // namespace

Output::Output(int fd, uint64_t position) : fd_(fd), flushed_(position)
{
	buffer_.reserve(buffer_size);
}

void Output::append(const uint8_t *data, size_t size)
{
	if (buffer_.size() + size > buffer_size)
		flush();
	if (size >= buffer_size)
		write_all(data, size);
	else
		buffer_.insert(buffer_.end(), data, data + size);
}

void Output::flush()
{
	write_all(buffer_.data(), buffer_.size());
	buffer_.clear();
}

void Output::write_all(const uint8_t *data, size_t size)
{
	while (size > 0) {
		ssize_t wrote = pwrite(fd_, data, size, static_cast<off_t>(flushed_));
		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote < 0)
			throw Failure{ Failure::Kind::write, errno, "write", "" };
		data += wrote;
		size -= static_cast<size_t>(wrote);
		flushed_ += static_cast<size_t>(wrote);
	}
}

} // namespace native
