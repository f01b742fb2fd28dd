// Compression of one block at a time, with a context that its thread keeps.
#ifndef NATIVE_CODEC_H
#define NATIVE_CODEC_H

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace native
{

enum class Codec {
	none,
	gzip,
	zstd
};

class Compressor
{
public:
	// level: zstd 1..22, gzip 1..9, ignored for none. checksum: end zstd blocks with one, see
	// fit_to_kernel; zlib streams always have one. Throws std::bad_alloc.
	static std::unique_ptr<Compressor> create(Codec codec, int level, bool checksum);
	virtual ~Compressor() = default;

	// Compresses `size` bytes into `out`, which has room for as many. Returns the compressed
	// size, or 0 when the result would not be smaller: such a block is stored as it is.
	virtual size_t compress(const uint8_t *in, size_t size, uint8_t *out) = 0;

	// Whether a block of the codec, from anywhere, holds exactly these `size` bytes. `scratch`
	// has room for as many.
	virtual bool holds(const uint8_t *block, size_t block_size, const uint8_t *bytes,
			   size_t size, uint8_t *scratch) = 0;
};

// To be called for a zstd block with a checksum once its place is known: takes the checksum off
// where it would keep the kernel from reading the block. `end` is where the block would end, in
// bytes from the start of the image.
//
// fs/squashfs/zstd_wrapper.c feeds the decoder one segment at a time and fails with EIO when the
// decoder still wants input though all output is there. That happens to a checksum that does not
// lie in the segment in which the data ends. Segments are parts of a device that start at
// multiples of the page size, or of 1024 bytes before Linux 5.8: about one block in 256 is hit.
void fit_to_kernel(std::vector<uint8_t> &frame, uint64_t end);

} // namespace native

#endif
