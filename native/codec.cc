#include "codec.h"

#include <cstring>
#include <new>
#include <stdexcept>

#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

namespace native
{
namespace
{

// RFC 8878, 3.1.1: magic number (4 bytes), frame header descriptor, ..., checksum (4 bytes).
constexpr size_t frame_descriptor = 4, checksum_size = 4;
constexpr uint8_t checksum_flag = 1 << 2;

class None : public Compressor
{
public:
	size_t compress(const uint8_t *, size_t, uint8_t *) override
	{
		return 0;
	}
	bool holds(const uint8_t *, size_t, const uint8_t *, size_t, uint8_t *) override
	{
		return false;
	}
};

class Zstd : public Compressor
{
public:
	Zstd(int level, bool checksum) : context_(ZSTD_createCCtx())
	{
		if (!context_)
			throw std::bad_alloc();
		set(ZSTD_c_compressionLevel, level);
		// Four bytes a block, so that the kernel and our reader notice a damaged one.
		set(ZSTD_c_checksumFlag, checksum);
	}
	~Zstd() override
	{
		ZSTD_freeCCtx(context_);
	}

	size_t compress(const uint8_t *in, size_t size, uint8_t *out) override
	{
		if (size < 2)
			return 0;
		// A single shot: zstd fits its tables to the block and notes the content's size.
		size_t result = ZSTD_compress2(context_, out, size - 1, in, size);
		if (!ZSTD_isError(result))
			return result;
		switch (ZSTD_getErrorCode(result)) {
		case ZSTD_error_dstSize_tooSmall:
			return 0;
		case ZSTD_error_memory_allocation:
			throw std::bad_alloc();
		default:
			throw std::runtime_error(ZSTD_getErrorName(result));
		}
	}

	bool holds(const uint8_t *block, size_t block_size, const uint8_t *bytes, size_t size,
		   uint8_t *scratch) override
	{
		// One frame with a checksum, as it is made here: fit_to_kernel relies on that.
		return block_size > frame_descriptor && (block[frame_descriptor] & checksum_flag) &&
		       ZSTD_findFrameCompressedSize(block, block_size) == block_size &&
		       ZSTD_decompress(scratch, size, block, block_size) == size &&
		       memcmp(scratch, bytes, size) == 0;
	}

private:
	void set(ZSTD_cParameter parameter, int value)
	{
		if (ZSTD_isError(ZSTD_CCtx_setParameter(context_, parameter, value))) {
			ZSTD_freeCCtx(context_);
			throw std::runtime_error("zstd refuses its parameters");
		}
	}

	ZSTD_CCtx *context_;
};

// "gzip" is the field's name for it; what a block holds is a zlib stream (RFC 1950).
class Gzip : public Compressor
{
public:
	explicit Gzip(int level)
	{
		constexpr int windowBits = 15, memoryLevel = 8;
		if (deflateInit2(&stream_, level, Z_DEFLATED, windowBits, memoryLevel,
				 Z_DEFAULT_STRATEGY) != Z_OK)
			throw std::bad_alloc();
	}
	~Gzip() override
	{
		deflateEnd(&stream_);
	}

	size_t compress(const uint8_t *in, size_t size, uint8_t *out) override
	{
		if (size < 2)
			return 0;
		deflateReset(&stream_);
		stream_.next_in = const_cast<uint8_t *>(in);
		stream_.avail_in = static_cast<uInt>(size);
		stream_.next_out = out;
		stream_.avail_out = static_cast<uInt>(size - 1);
		return deflate(&stream_, Z_FINISH) == Z_STREAM_END ? stream_.total_out : 0;
	}

	bool holds(const uint8_t *block, size_t block_size, const uint8_t *bytes, size_t size,
		   uint8_t *scratch) override
	{
		uLongf length = size;
		return uncompress(scratch, &length, block, block_size) == Z_OK && length == size &&
		       memcmp(scratch, bytes, size) == 0;
	}

private:
	z_stream stream_ = {};
};

} // namespace

std::unique_ptr<Compressor> Compressor::create(Codec codec, int level, bool checksum)
{
	switch (codec) {
	case Codec::zstd:
		return std::make_unique<Zstd>(level, checksum);
	case Codec::gzip:
		return std::make_unique<Gzip>(level);
	case Codec::none:
		break;
	}
	return std::make_unique<None>();
}

void fit_to_kernel(std::vector<uint8_t> &frame, uint64_t end)
{
	constexpr uint64_t segment = 1024;
	uint64_t boundary = (end - checksum_size + segment - 1) / segment * segment;
	if (boundary >= end)
		return;
	frame[frame_descriptor] &= static_cast<uint8_t>(~checksum_flag);
	frame.resize(frame.size() - checksum_size);
}

} // namespace native
