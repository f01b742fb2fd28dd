#include "stream.h"

#include <new>

#include <lzma.h>
#include <zstd.h>

namespace native
{
namespace
{

// What a stream may ask for, bytes: zstd's own default is 128 MiB, xz -9 takes 65 MiB.
constexpr uint64_t memory_limit = uint64_t(256) << 20;

class ZstdStream : public StreamDecoder
{
public:
	ZstdStream() : stream_(ZSTD_createDStream())
	{
		if (!stream_)
			throw std::bad_alloc();
	}
	~ZstdStream() override
	{
		ZSTD_freeDStream(stream_);
	}

	Step step(const uint8_t *in, size_t in_size, uint8_t *out, size_t out_size, bool) override
	{
		ZSTD_inBuffer input = { in, in_size, 0 };
		ZSTD_outBuffer output = { out, out_size, 0 };
		size_t left = at_end_ && in_size == 0 ?
				      0 :
				      ZSTD_decompressStream(stream_, &output, &input);
		if (ZSTD_isError(left))
			return { input.pos, output.pos, false, ZSTD_getErrorName(left) };
		// Several frames may stand one after the other.
		at_end_ = left == 0;
		return { input.pos, output.pos, at_end_, nullptr };
	}

private:
	ZSTD_DStream *stream_;
	bool at_end_ = false;
};

class XzStream : public StreamDecoder
{
public:
	XzStream()
	{
		if (lzma_stream_decoder(&stream_, memory_limit,
					LZMA_CONCATENATED | LZMA_TELL_UNSUPPORTED_CHECK) != LZMA_OK)
			throw std::bad_alloc();
	}
	~XzStream() override
	{
		lzma_end(&stream_);
	}

	Step step(const uint8_t *in, size_t in_size, uint8_t *out, size_t out_size,
		  bool last) override
	{
		stream_.next_in = in;
		stream_.avail_in = in_size;
		stream_.next_out = out;
		stream_.avail_out = out_size;
		lzma_ret result = lzma_code(&stream_, last ? LZMA_FINISH : LZMA_RUN);
		return { in_size - stream_.avail_in, out_size - stream_.avail_out,
			 result == LZMA_STREAM_END, problem(result) };
	}

private:
	static const char *problem(lzma_ret result)
	{
		switch (result) {
		case LZMA_OK:
		case LZMA_STREAM_END:
		case LZMA_BUF_ERROR: // nothing to read, or no room
			return nullptr;
		case LZMA_MEM_ERROR:
		case LZMA_MEMLIMIT_ERROR:
			return "It takes too much memory";
		case LZMA_UNSUPPORTED_CHECK:
			return "Its checksum is of an unsupported kind";
		case LZMA_FORMAT_ERROR:
			return "Unknown format";
		case LZMA_OPTIONS_ERROR:
			return "Unsupported options";
		default:
			return "Data corruption detected";
		}
	}

	lzma_stream stream_ = LZMA_STREAM_INIT;
};

} // namespace

std::unique_ptr<StreamDecoder> StreamDecoder::create(const std::string &codec)
{
	if (codec == "zstd")
		return std::make_unique<ZstdStream>();
	if (codec == "xz")
		return std::make_unique<XzStream>();
	return nullptr;
}

} // namespace native
