// A compressed stream, fed piece by piece: tar files and the layers of container images.
#ifndef NATIVE_STREAM_H
#define NATIVE_STREAM_H

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace native
{

class StreamDecoder
{
public:
	// "zstd" or "xz"; null for others. Throws std::bad_alloc.
	static std::unique_ptr<StreamDecoder> create(const std::string &codec);
	virtual ~StreamDecoder() = default;

	struct Step {
		size_t read; // bytes of the input that are used up
		size_t made; // bytes of the output
		bool at_end; // here the stream may end
		const char *problem; // or null
	};
	// Reads and makes as much as there is room for. `last`: no more input follows.
	virtual Step step(const uint8_t *in, size_t in_size, uint8_t *out, size_t out_size,
			  bool last) = 0;
};

} // namespace native

#endif
