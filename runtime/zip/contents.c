/* Contents: stored, or deflate without a header around it (RFC 1951). */
#include <inttypes.h>
#include <lzma.h>
#include <string.h>

#include "zip/zip_reader.h"

struct contents {
	struct zip *zip;
	const struct zip_entry *entry;
	struct failure *failure;
	uint64_t position; /* of the compressed bytes not read yet */
	uint64_t rest; /* of them */
	uint64_t made; /* uncompressed bytes given to the sink */
	uint32_t crc;
	zip_sink *sink;
	void *context;
};

static int corrupt(struct contents *c, const char *what)
{
	return zip_fail_at(c->zip, c->entry, c->failure, FUSELAGE_E_ARCHIVE_CORRUPT,
			   "contents: expected %" PRIu64 " bytes of deflate in %" PRIu64
			   ", found %s after %" PRIu64,
			   c->entry->size, c->entry->compressed_size, what, c->made);
}

static int give(struct contents *c, const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	/* Checked before it is written: a claim of less must not fill the disk. */
	if (size > c->entry->size - c->made)
		return corrupt(c, "more");
	/* zlib's own crc32 would bring 8 KiB of tables; liblzma's is linked for xz
   * anyway. */
	c->crc = lzma_crc32(data, size, c->crc);
	c->made += size;
	return c->sink(c->context, data, size, c->failure);
}

/* Reads the next part of the compressed bytes. Returns how many, or -1. */
static ssize_t fill(struct contents *c, uint8_t *buffer, size_t room)
{
	size_t size = c->rest < room ? (size_t)c->rest : room;

	if (size && zip_pread(c->zip, buffer, size, c->position, "contents", c->failure) < 0)
		return -1;
	c->position += size;
	c->rest -= size;
	return (ssize_t)size;
}

static int copy_stored(struct contents *c)
{
	while (c->rest) {
		ssize_t n = fill(c, c->zip->output, ZIP_OUTPUT_BYTES);
		if (n < 0 || give(c, c->zip->output, (size_t)n) < 0)
			return -1;
	}
	return 0;
}

static int start_inflate(struct contents *c)
{
	struct zip *zip = c->zip;

	if (zip->inflating)
		return inflateReset(&zip->inflate) == Z_OK ? 0 : corrupt(c, "no stream");
	if (inflateInit2(&zip->inflate, -MAX_WBITS) != Z_OK)
		return zip_fail(zip, c->failure, FUSELAGE_E_OUT_OF_MEMORY, "inflate");
	zip->inflating = true;
	return 0;
}

static int copy_deflated(struct contents *c)
{
	struct zip *zip = c->zip;
	z_stream *stream = &zip->inflate;

	if (start_inflate(c) < 0)
		return -1;
	stream->avail_in = 0;
	stream->next_out = zip->output;
	stream->avail_out = ZIP_OUTPUT_BYTES;
	for (;;) {
		if (stream->avail_in == 0) {
			ssize_t n = fill(c, zip->input, ZIP_INPUT_BYTES);
			if (n < 0)
				return -1;
			stream->next_in = zip->input;
			stream->avail_in = (uInt)n;
		}
		int status = inflate(stream, Z_NO_FLUSH);
		if (status == Z_MEM_ERROR)
			return zip_fail(zip, c->failure, FUSELAGE_E_OUT_OF_MEMORY, "inflate");
		if (status == Z_BUF_ERROR) /* no progress: the input is used up */
			return corrupt(c, "its end missing");
		if (status != Z_OK && status != Z_STREAM_END)
			return corrupt(c, "damaged data");
		if (stream->avail_out == 0 || status == Z_STREAM_END) {
			if (give(c, zip->output, ZIP_OUTPUT_BYTES - stream->avail_out) < 0)
				return -1;
			stream->next_out = zip->output;
			stream->avail_out = ZIP_OUTPUT_BYTES;
		}
		if (status == Z_STREAM_END)
			return stream->avail_in || c->rest ? corrupt(c, "an end too early") : 0;
	}
}

int zip_read(struct zip *zip, const struct zip_entry *entry, zip_sink *sink, void *context,
	     struct failure *failure)
{
	struct contents c = {
		.zip = zip,
		.entry = entry,
		.failure = failure,
		.position = entry->data,
		.rest = entry->compressed_size,
		.sink = sink,
		.context = context,
	};

	if ((entry->method == ZIP_STORED ? copy_stored(&c) : copy_deflated(&c)) < 0)
		return -1;
	if (c.made != entry->size)
		return corrupt(&c, "an end");
	if (c.crc != entry->crc)
		return zip_fail_at(zip, entry, failure, FUSELAGE_E_ARCHIVE_CORRUPT,
				   "CRC-32: expected 0x%08" PRIx32 ", found 0x%08" PRIx32,
				   entry->crc, c.crc);
	return 0;
}

struct target {
	char *bytes; /* PATH_MAX: the entry's size was checked to be less */
	size_t size;
};

static int take_target(void *context, const uint8_t *data, size_t size, struct failure *failure)
{
	struct target *target = context;

	(void)failure;
	memcpy(target->bytes + target->size, data, size);
	target->size += size;
	return 0;
}

int zip_readlink(struct zip *zip, const struct zip_entry *entry, char target[PATH_MAX],
		 struct failure *failure)
{
	struct target taken = { .bytes = target };

	if (zip_read(zip, entry, take_target, &taken, failure) < 0)
		return -1;
	target[taken.size] = 0;
	if (strlen(target) != taken.size)
		return zip_fail_at(zip, entry, failure, FUSELAGE_E_ARCHIVE_UNSAFE,
				   "target of the symlink: expected text, found a NUL byte");
	return 0;
}
