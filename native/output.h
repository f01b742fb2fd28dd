// The one place that writes: in order, through a buffer, at absolute offsets of a descriptor.
#ifndef NATIVE_OUTPUT_H
#define NATIVE_OUTPUT_H

#include <cstddef>
#include <cstdint>
#include <vector>

namespace native
{

class Output
{
public:
	// The descriptor is borrowed; its own file offset is neither used nor moved.
	Output(int fd, uint64_t position);

	// All throw Failure of kind `write`.
	void append(const uint8_t *data, size_t size);
	void flush();

	// Offset in the file of the next byte.
	uint64_t position() const
	{
		return flushed_ + buffer_.size();
	}

private:
	void write_all(const uint8_t *data, size_t size);

	int fd_;
	uint64_t flushed_;
	std::vector<uint8_t> buffer_;
};

} // namespace native

#endif
