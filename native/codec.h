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
	lz4,
	xz,
	zstd
};

// How the blocks of an image are compressed.
struct Compression {
	Codec codec = Codec::none;
	// zstd 1..22, gzip 1..9, lz4 1 (fast) or 2..12 (lz4hc), xz 0..9 (a preset of liblzma);
	// ignored for none.
	int level = 0;
	// Ways in which each block of a file is compressed, so that the smallest can be kept: bits
	// as the format's compressor options have them. gzip: strategies, 0 is the usual one alone.
	// xz: BCJ filters, besides none of them.
	uint32_t variants = 0;
	uint32_t dictionary = 0; // of xz, bytes
	// 0: as the image says of itself; else another number for each other way, 1..255.
	uint8_t tag = 0;
	bool probes = false; // is_incompressible comes first
};

class Compressor
{
public:
	// For blocks of files, which end with a checksum where the codec is zstd (fit_to_kernel).
	// Streams of zlib and xz always have one, lz4 knows none. Throws std::bad_alloc.
	static std::unique_ptr<Compressor> for_contents(const Compression &compression);
	// For the tables of an image: without variants, and without a checksum.
	static std::unique_ptr<Compressor> for_tables(const Compression &compression);
	virtual ~Compressor() = default;

	// Compresses `size` bytes into `out`, which has room for as many. Returns the compressed
	// size, or 0 when the result would not be smaller: such a block is stored as it is.
	virtual size_t compress(const uint8_t *in, size_t size, uint8_t *out) = 0;

	// Whether a block of the codec, from anywhere, holds exactly these `size` bytes. `scratch`
	// has room for as many.
	virtual bool holds(const uint8_t *block, size_t block_size, const uint8_t *bytes,
			   size_t size, uint8_t *scratch) = 0;

private:
	static std::unique_ptr<Compressor> create(const Compression &compression, bool checksum);
};

// Whether a block is so evenly made of all bytes, and so without repetitions, that hardly a codec would save
// anything: what is compressed or encrypted already. Deciding takes a small part of what a slow codec takes
// to fail. False for less than 4096 bytes.
//
// The rule is of whole numbers, so that every machine decides alike: with n bytes of which c[i] have the
// value i, 256 * sum(c[i]^2) < n^2 * 65/64 + 256 * n, where chance alone makes n^2 + 255 * n, and lz4 at its
// level 1 does not make 511/512 of it. The first says that coding bytes by how often they come saves 0.01 bits
// of 8 at most.
bool is_incompressible(const uint8_t *data, size_t size);

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
