/*
 * The central directory (APPNOTE 4.3.12): a header, name, extra fields and
 * comment for each entry. It is read in passing; what is kept grows with the
 * headers found, not with what is claimed.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/bytes.h"
#include "base/owned.h"
#include "zip/zip_reader.h"

#define SIGNATURE_MAGIC 0x05054b50u /* a digital signature behind the headers; not looked at */
#define CENTRAL_SIZE 46
#define BUFFER_BYTES (1u << 18) /* more than a header with three fields of 64 KiB */

#define MADE_BY_UNIX 3
#define MADE_BY_DARWIN 19
#define FLAGS_ENCRYPTED 0x2041u /* the contents, strongly, or the directory */
#define FLAG_PATCH 0x0020u
#define FLAG_UTF8 0x0800u

/* Deflate's best is 258 bytes from two bits. */
#define DEFLATE_RATIO_MAX 1032

struct window {
	uint8_t *bytes; /* BUFFER_BYTES */
	size_t at;
	size_t held;
	uint64_t position; /* of what follows the held bytes */
	uint64_t end;
};

/* Makes `size` bytes stand at the window's place, or fails when the directory
 * ends before. */
static int need(const struct zip *zip, struct window *window, size_t size, struct failure *failure)
{
	size_t left = window->held - window->at;

	if (left >= size)
		return 0;
	if (window->end - window->position < size - left)
		return zip_fail(zip, failure, FUSELAGE_E_ARCHIVE_CORRUPT,
				"central directory: expected %zu bytes more, found %" PRIu64, size,
				window->end - window->position + left);
	memmove(window->bytes, window->bytes + window->at, left);
	window->at = 0;
	window->held = left;

	uint64_t rest = window->end - window->position;
	size_t more = BUFFER_BYTES - left < rest ? BUFFER_BYTES - left : (size_t)rest;
	if (zip_pread(zip, window->bytes + left, more, window->position, "central directory",
		      failure) < 0)
		return -1;
	window->held += more;
	window->position += more;
	return 0;
}

/* MS-DOS's date and time know no zone: taken as UTC, so that every host gets
 * the same tree. */
static int64_t dos_time(uint16_t date, uint16_t clock)
{
	struct tm tm = {
		.tm_year = (date >> 9) + 80,
		.tm_mon = (date >> 5 & 15) ? (date >> 5 & 15) - 1 : 0,
		.tm_mday = (date & 31) ? date & 31 : 1,
		.tm_hour = clock >> 11,
		.tm_min = clock >> 5 & 63,
		.tm_sec = (clock & 31) * 2,
	};

	return timegm(&tm);
}

static int set_mode(const struct zip *zip, struct zip_entry *entry, unsigned made_by,
		    uint32_t attributes, struct failure *failure)
{
	uint32_t mode = 0;

	if (made_by == MADE_BY_UNIX || made_by == MADE_BY_DARWIN)
		mode = attributes >> 16;
	uint32_t type = mode & S_IFMT;
	if (type == 0 || entry->directory)
		type = entry->directory ? S_IFDIR : S_IFREG;
	if (type != S_IFREG && type != S_IFDIR && type != S_IFLNK)
		return zip_fail_at(
			zip, entry, failure, FUSELAGE_E_ARCHIVE_UNSUPPORTED,
			"type: expected a file, directory or symlink, found mode 0%" PRIo32, mode);
	/* Set-id and sticky bits of somebody else's files are not for us to give. */
	mode &= 0777;
	if (mode == 0)
		mode = type == S_IFDIR ? 0755 : 0644;
	entry->mode = (uint16_t)(type | (type == S_IFLNK ? 0777 : mode));
	return 0;
}

static int check_method(const struct zip *zip, const struct zip_entry *entry, unsigned flags,
			struct failure *failure)
{
	if (flags & FLAGS_ENCRYPTED)
		return zip_fail_at(zip, entry, failure, FUSELAGE_E_ARCHIVE_UNSUPPORTED,
				   "contents: expected them unencrypted, found encryption");
	if (flags & FLAG_PATCH || (entry->method != ZIP_STORED && entry->method != ZIP_DEFLATED))
		return zip_fail_at(zip, entry, failure, FUSELAGE_E_ARCHIVE_UNSUPPORTED,
				   "method: expected 0 (stored) or 8 (deflate), found %u%s",
				   entry->method, flags & FLAG_PATCH ? " with patches" : "");
	return 0;
}

/* What the sizes claim must be possible, so that the archive's own size bounds
 * what comes out. */
static int check_sizes(const struct zip *zip, const struct zip_entry *entry,
		       struct failure *failure)
{
	uint64_t packed = entry->compressed_size;

	if (packed > zip->size)
		return zip_fail_at(zip, entry, failure, FUSELAGE_E_ARCHIVE_CORRUPT,
				   "compressed size: expected at most the file's %" PRIu64
				   ", found %" PRIu64,
				   zip->size, packed);
	if (zip_type(entry) == S_IFDIR && entry->size)
		return zip_fail_at(zip, entry, failure, FUSELAGE_E_ARCHIVE_CORRUPT,
				   "size of a directory: expected 0, found %" PRIu64, entry->size);
	if (zip_type(entry) == S_IFLNK && (entry->size == 0 || entry->size >= PATH_MAX))
		return zip_fail_at(zip, entry, failure, FUSELAGE_E_ARCHIVE_CORRUPT,
				   "size of a symlink: expected 1 to %d, found %" PRIu64,
				   PATH_MAX - 1, entry->size);
	if (entry->method == ZIP_STORED && packed != entry->size)
		return zip_fail_at(zip, entry, failure, FUSELAGE_E_ARCHIVE_CORRUPT,
				   "size of stored contents: expected %" PRIu64 ", found %" PRIu64,
				   packed, entry->size);
	if (entry->method == ZIP_DEFLATED && entry->size / DEFLATE_RATIO_MAX > packed)
		return zip_fail_at(zip, entry, failure, FUSELAGE_E_ARCHIVE_CORRUPT,
				   "size: expected at most %d times the compressed %" PRIu64
				   ", found %" PRIu64,
				   DEFLATE_RATIO_MAX, packed, entry->size);
	return 0;
}

static int take_header(struct zip *zip, const struct zip_end *end, const uint8_t *raw,
		       struct failure *failure)
{
	const struct zip_extra extra = { raw + CENTRAL_SIZE + le16(raw + 28), le16(raw + 30) };
	const struct zip_stored_name name = {
		.bytes = raw + CENTRAL_SIZE,
		.size = le16(raw + 28),
		.made_by = le16(raw + 4) >> 8,
		.utf8 = le16(raw + 8) & FLAG_UTF8,
	};
	struct zip_entry entry = {
		.method = le16(raw + 10),
		.mtime = dos_time(le16(raw + 14), le16(raw + 12)),
		.crc = le32(raw + 16),
		.compressed_size = le32(raw + 20),
		.size = le32(raw + 24),
		.header = le32(raw + 42),
	};

	if (zip_take_name(zip, &entry, &name, &extra, failure) < 0 ||
	    zip_take_sizes(zip, &entry, &extra, failure) < 0 ||
	    set_mode(zip, &entry, name.made_by, le32(raw + 38), failure) < 0 ||
	    check_method(zip, &entry, le16(raw + 8), failure) < 0 ||
	    check_sizes(zip, &entry, failure) < 0)
		return -1;
	zip_take_time(&entry, &extra);
	if (le16(raw + 34) != 0 && le16(raw + 34) != UINT16_MAX)
		return zip_fail_at(zip, &entry, failure, FUSELAGE_E_ARCHIVE_UNSUPPORTED,
				   "disk: expected the first, found %u", le16(raw + 34) + 1u);
	if (entry.header > end->directory - end->base)
		return zip_fail_at(zip, &entry, failure, FUSELAGE_E_ARCHIVE_CORRUPT,
				   "local header: expected it before %" PRIu64
				   ", found it at %" PRIu64,
				   end->directory - end->base, entry.header);
	entry.header += end->base;
	/* The folder that everything is in is there in any case. */
	if (entry.path_size == 0)
		return 0;
	if (!zip_add_entry(zip, &entry))
		return zip_fail(zip, failure, FUSELAGE_E_OUT_OF_MEMORY, "entries");
	return 0;
}

int zip_read_central(struct zip *zip, const struct zip_end *end, struct failure *failure)
{
	OWNED uint8_t *buffer = malloc(BUFFER_BYTES);
	struct window window = {
		.bytes = buffer,
		.position = end->directory,
		.end = end->directory + end->directory_size,
	};

	if (!buffer)
		return zip_fail(zip, failure, FUSELAGE_E_OUT_OF_MEMORY, "central directory");
	if (end->count > ZIP_ENTRIES_MAX)
		return zip_fail(zip, failure, FUSELAGE_E_ARCHIVE_UNSUPPORTED,
				"central directory: expected at most %" PRIu32
				" entries, found %" PRIu64,
				ZIP_ENTRIES_MAX, end->count);
	for (uint64_t i = 0; i < end->count; i++) {
		if (need(zip, &window, CENTRAL_SIZE, failure) < 0)
			return -1;
		const uint8_t *raw = window.bytes + window.at;
		if (le32(raw) != ZIP_CENTRAL_MAGIC)
			return zip_fail(zip, failure, FUSELAGE_E_ARCHIVE_CORRUPT,
					"entry %" PRIu64
					": expected magic 0x%08x, found 0x%08" PRIx32,
					i, ZIP_CENTRAL_MAGIC, le32(raw));
		size_t size =
			CENTRAL_SIZE + (size_t)le16(raw + 28) + le16(raw + 30) + le16(raw + 32);
		if (need(zip, &window, size, failure) < 0)
			return -1;
		if (take_header(zip, end, window.bytes + window.at, failure) < 0)
			return -1;
		window.at += size;
	}

	/* More headers than were counted: two readers could see two archives here. */
	uint64_t rest = window.end - window.position + (window.held - window.at);
	if (rest == 0)
		return 0;
	if (rest >= 4 && need(zip, &window, 4, failure) == 0 &&
	    le32(window.bytes + window.at) == SIGNATURE_MAGIC)
		return 0;
	return zip_fail(zip, failure, FUSELAGE_E_ARCHIVE_CORRUPT,
			"central directory: expected its end behind %" PRIu64
			" entries, found %" PRIu64 " bytes more",
			end->count, rest);
}
