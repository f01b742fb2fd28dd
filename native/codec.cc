#include "codec.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <stdexcept>

#include <lz4.h>
#include <lz4hc.h>
#include <lzma.h>
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

// The smallest of several results. All are made in the caller's room but one: the best so far that is
// not the last has to be kept elsewhere.
class Smallest
{
public:
	Smallest(size_t size, uint8_t *out) : limit_(size - 1), out_(out)
	{
	}
	// How large the next one may be to be of use.
	size_t room() const
	{
		return best_ > 0 ? best_ - 1 : limit_;
	}
	// Where to make it: not where the best one stands.
	uint8_t *place(std::vector<uint8_t> &spare)
	{
		if (best_ == 0)
			return out_;
		spare.resize(std::max(spare.size(), limit_));
		return spare.data();
	}
	// What was made there has `size` bytes; 0 when it is of no use.
	void take(const uint8_t *made, size_t size)
	{
		if (size == 0)
			return;
		if (made != out_)
			memcpy(out_, made, size);
		best_ = size;
	}
	size_t size() const
	{
		return best_;
	}

private:
	size_t limit_, best_ = 0;
	uint8_t *out_;
};

// "gzip" is the field's name for it; what a block holds is a zlib stream (RFC 1950).
class Gzip : public Compressor
{
public:
	explicit Gzip(const Compression &compression)
		: level_(compression.level), strategies_(compression.variants)
	{
		constexpr int windowBits = 15, memoryLevel = 8;
		if (deflateInit2(&stream_, level_, Z_DEFLATED, windowBits, memoryLevel,
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
		if (strategies_ == 0)
			return deflate_block(in, size, out, size - 1);
		// Bits of the format in the order of their values, which are zlib's numbers too.
		Smallest smallest(size, out);
		for (int strategy = Z_DEFAULT_STRATEGY; strategy <= Z_FIXED; strategy++) {
			if (!(strategies_ & (1u << strategy)))
				continue;
			uint8_t *place = smallest.place(spare_);
			deflateReset(&stream_); // else this would end the block of before
			deflateParams(&stream_, level_, strategy);
			smallest.take(place, deflate_block(in, size, place, smallest.room()));
		}
		return smallest.size();
	}

	bool holds(const uint8_t *block, size_t block_size, const uint8_t *bytes, size_t size,
		   uint8_t *scratch) override
	{
		uLongf length = size;
		return uncompress(scratch, &length, block, block_size) == Z_OK && length == size &&
		       memcmp(scratch, bytes, size) == 0;
	}

private:
	size_t deflate_block(const uint8_t *in, size_t size, uint8_t *out, size_t room)
	{
		deflateReset(&stream_);
		stream_.next_in = const_cast<uint8_t *>(in);
		stream_.avail_in = static_cast<uInt>(size);
		stream_.next_out = out;
		stream_.avail_out = static_cast<uInt>(room);
		return deflate(&stream_, Z_FINISH) == Z_STREAM_END ? stream_.total_out : 0;
	}

	z_stream stream_ = {};
	int level_;
	uint32_t strategies_;
	std::vector<uint8_t> spare_;
};

// Blocks of lz4, without its frame. The format knows one flag: whether lz4hc made them.
class Lz4 : public Compressor
{
public:
	explicit Lz4(int level) : level_(level)
	{
		size_t size = level > 1 ? LZ4_sizeofStateHC() : LZ4_sizeofState();
		state_.resize((size + sizeof(uint64_t) - 1) / sizeof(uint64_t));
	}

	size_t compress(const uint8_t *in, size_t size, uint8_t *out) override
	{
		if (size < 2)
			return 0;
		auto source = reinterpret_cast<const char *>(in);
		auto target = reinterpret_cast<char *>(out);
		int length = static_cast<int>(size), room = static_cast<int>(size - 1);
		int made = level_ > 1 ? LZ4_compress_HC_extStateHC(state_.data(), source, target,
								   length, room, level_) :
					LZ4_compress_fast_extState(state_.data(), source, target,
								   length, room, 1);
		return made > 0 ? static_cast<size_t>(made) : 0;
	}

	bool holds(const uint8_t *block, size_t block_size, const uint8_t *bytes, size_t size,
		   uint8_t *scratch) override
	{
		int length = LZ4_decompress_safe(reinterpret_cast<const char *>(block),
						 reinterpret_cast<char *>(scratch),
						 static_cast<int>(block_size),
						 static_cast<int>(size));
		return length >= 0 && static_cast<size_t>(length) == size &&
		       memcmp(scratch, bytes, size) == 0;
	}

private:
	int level_;
	std::vector<uint64_t> state_; // as aligned as the library wants it
};

// Streams of xz with CRC32, the one check that the kernel knows.
class Xz : public Compressor
{
public:
	explicit Xz(const Compression &compression) : filters_(compression.variants)
	{
		if (lzma_lzma_preset(&lzma_, static_cast<uint32_t>(compression.level)))
			throw std::runtime_error("liblzma has no such preset");
		lzma_.dict_size = compression.dictionary;
	}

	size_t compress(const uint8_t *in, size_t size, uint8_t *out) override
	{
		// As the format's bits have them, in the order of their values.
		static const lzma_vli ids[] = { LZMA_FILTER_X86,      LZMA_FILTER_POWERPC,
						LZMA_FILTER_IA64,     LZMA_FILTER_ARM,
						LZMA_FILTER_ARMTHUMB, LZMA_FILTER_SPARC };

		if (size < 2)
			return 0;
		Smallest smallest(size, out);
		smallest.take(out, encode(LZMA_VLI_UNKNOWN, in, size, out, smallest.room()));
		for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
			if (!(filters_ & (1u << i)))
				continue;
			uint8_t *place = smallest.place(spare_);
			smallest.take(place, encode(ids[i], in, size, place, smallest.room()));
		}
		return smallest.size();
	}

	bool holds(const uint8_t *block, size_t block_size, const uint8_t *bytes, size_t size,
		   uint8_t *scratch) override
	{
		uint64_t memory = UINT64_MAX;
		size_t read = 0, made = 0;
		lzma_ret result = lzma_stream_buffer_decode(&memory, 0, NULL, block, &read,
							    block_size, scratch, &made, size);
		return result == LZMA_OK && read == block_size && made == size &&
		       memcmp(scratch, bytes, size) == 0;
	}

private:
	// `filter`: a BCJ filter before the compressor, or LZMA_VLI_UNKNOWN.
	size_t encode(lzma_vli filter, const uint8_t *in, size_t size, uint8_t *out, size_t room)
	{
		lzma_filter chain[3] = { { filter, NULL },
					 { LZMA_FILTER_LZMA2, &lzma_ },
					 { LZMA_VLI_UNKNOWN, NULL } };
		size_t made = 0;
		switch (lzma_stream_buffer_encode(filter == LZMA_VLI_UNKNOWN ? chain + 1 : chain,
						  LZMA_CHECK_CRC32, NULL, in, size, out, &made,
						  room)) {
		case LZMA_OK:
			return made;
		case LZMA_BUF_ERROR:
			return 0;
		case LZMA_MEM_ERROR:
			throw std::bad_alloc();
		default:
			throw std::runtime_error("liblzma refuses its parameters");
		}
	}

	lzma_options_lzma lzma_;
	uint32_t filters_;
	std::vector<uint8_t> spare_;
};

} // namespace

std::unique_ptr<Compressor> Compressor::create(const Compression &compression, bool checksum)
{
	switch (compression.codec) {
	case Codec::zstd:
		return std::make_unique<Zstd>(compression.level, checksum);
	case Codec::gzip:
		return std::make_unique<Gzip>(compression);
	case Codec::lz4:
		return std::make_unique<Lz4>(compression.level);
	case Codec::xz:
		return std::make_unique<Xz>(compression);
	case Codec::none:
		break;
	}
	return std::make_unique<None>();
}

std::unique_ptr<Compressor> Compressor::for_contents(const Compression &compression)
{
	return create(compression, true);
}

std::unique_ptr<Compressor> Compressor::for_tables(const Compression &compression)
{
	Compression without = compression;
	without.variants = 0;
	return create(without, false);
}

constexpr size_t incompressible_least = 4096;

bool is_incompressible(const uint8_t *data, size_t size)
{
	uint64_t counts[256] = {}, squares = 0;
	for (size_t i = 0; i < size; i++)
		counts[data[i]]++;
	for (uint64_t count : counts)
		squares += count * count;
	uint64_t n = size;
	if (size < incompressible_least || 256 * 64 * squares >= 65 * n * n + 256 * 64 * n)
		return false;
	size_t room = size - size / 512;
	std::vector<char> out(room);
	return LZ4_compress_default(reinterpret_cast<const char *>(data), out.data(),
				    static_cast<int>(size), static_cast<int>(room)) == 0;
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
