/* The four decompressors behind one call. */
#include <lz4.h>
#include <lzma.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

#include "squashfs/reader.h"

/* liblzma allocates the dictionary that a block's header claims: at most a block, plus its state. */
#define XZ_MEMORY_LIMIT (8u << 20)

struct codec {
	unsigned compressor;
	ZSTD_DCtx *zstd;
	z_stream zlib;
};

bool codec_known(unsigned compressor)
{
	return compressor == SQFS_GZIP || compressor == SQFS_XZ || compressor == SQFS_LZ4 ||
	       compressor == SQFS_ZSTD;
}

struct codec *codec_new(unsigned compressor)
{
	struct codec *codec = calloc(1, sizeof *codec);

	if (!codec)
		return NULL;
	codec->compressor = compressor;
	if (compressor == SQFS_ZSTD)
		codec->zstd = ZSTD_createDCtx();
	if ((compressor == SQFS_ZSTD && !codec->zstd) ||
	    (compressor == SQFS_GZIP && inflateInit(&codec->zlib) != Z_OK)) {
		free(codec);
		return NULL;
	}
	return codec;
}

void codec_free(struct codec *codec)
{
	if (!codec)
		return;
	if (codec->compressor == SQFS_GZIP)
		inflateEnd(&codec->zlib);
	ZSTD_freeDCtx(codec->zstd);
	free(codec);
}

static ssize_t gzip_decompress(z_stream *stream, const void *source, size_t source_size, void *out,
			       size_t out_size)
{
	if (inflateReset(stream) != Z_OK)
		return SQFS_EDECOMPRESS;
	stream->next_in = (Bytef *)(uintptr_t)source;
	stream->avail_in = (uInt)source_size;
	stream->next_out = out;
	stream->avail_out = (uInt)out_size;
	int result = inflate(stream, Z_FINISH);
	if (result == Z_MEM_ERROR)
		return SQFS_ENOMEM;
	if (result != Z_STREAM_END)
		return SQFS_EDECOMPRESS;
	return (ssize_t)(out_size - stream->avail_out);
}

static ssize_t xz_decompress(const void *source, size_t source_size, void *out, size_t out_size)
{
	uint64_t memory_limit = XZ_MEMORY_LIMIT;
	size_t in_position = 0;
	size_t out_position = 0;
	lzma_ret ret = lzma_stream_buffer_decode(&memory_limit, 0, NULL, source, &in_position,
						 source_size, out, &out_position, out_size);

	if (ret == LZMA_MEM_ERROR)
		return SQFS_ENOMEM;
	return ret == LZMA_OK ? (ssize_t)out_position : SQFS_EDECOMPRESS;
}

ssize_t codec_decompress(struct codec *codec, const void *source, size_t source_size, void *out,
			 size_t out_size)
{
	switch (codec->compressor) {
	case SQFS_ZSTD: {
		size_t n = ZSTD_decompressDCtx(codec->zstd, out, out_size, source, source_size);
		return ZSTD_isError(n) ? SQFS_EDECOMPRESS : (ssize_t)n;
	}
	case SQFS_GZIP:
		return gzip_decompress(&codec->zlib, source, source_size, out, out_size);
	case SQFS_LZ4: {
		int n = LZ4_decompress_safe(source, out, (int)source_size, (int)out_size);
		return n < 0 ? SQFS_EDECOMPRESS : n;
	}
	case SQFS_XZ:
		return xz_decompress(source, source_size, out, out_size);
	default:
		return SQFS_EDECOMPRESS;
	}
}
