/*
 * The end of central directory record (APPNOTE 4.3.16) stands last, before a
 * comment of up to 64 KiB. A zip64 archive has a locator in front of it
 * (4.3.15) that leads to a longer record.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/owned.h"
#include "zip/zip_reader.h"

#define END_SIZE 22
#define COMMENT_MAX 65535
#define LOCATOR_MAGIC 0x07064b50u
#define LOCATOR_SIZE 20
#define END64_MAGIC 0x06064b50u
#define END64_SIZE 56 /* without the extensible data that may follow */

/*
 * Takes the last record whose comment ends with the file; a comment may hold
 * the magic too. When something was appended to the file, the last one that
 * fits.
 */
static const uint8_t *search(const uint8_t *tail, size_t size)
{
	const uint8_t *fitting = NULL;

	if (size < END_SIZE)
		return NULL;
	for (size_t at = size - END_SIZE + 1; at-- > 0;) {
		if (tail[at] != 'P' || le32(tail + at) != ZIP_END_MAGIC)
			continue;
		size_t comment = le16(tail + at + 20);
		size_t behind = size - at - END_SIZE;
		if (comment == behind)
			return tail + at;
		if (comment < behind && !fitting)
			fitting = tail + at;
	}
	return fitting;
}

static int refuse_disks(const struct zip *zip, uint32_t disk, struct failure *failure)
{
	return zip_fail(zip, failure, FUSELAGE_E_ARCHIVE_UNSUPPORTED,
			"end record: expected one file, found part %" PRIu32 " of several",
			disk == UINT32_MAX ? disk : disk + 1);
}

/* The record is where the locator says, or, behind leading bytes, right before
 * the locator. */
static int read_end64(const struct zip *zip, const uint8_t *locator, uint64_t locator_position,
		      struct zip_end *end, uint64_t *position, struct failure *failure)
{
	uint8_t raw[END64_SIZE];

	if (le32(locator + 4) != 0 || le32(locator + 16) > 1)
		return refuse_disks(zip, le32(locator + 4), failure);
	*position = le64(locator + 8);
	if (locator_position < END64_SIZE || *position > locator_position - END64_SIZE)
		return zip_fail(zip, failure, FUSELAGE_E_ARCHIVE_CORRUPT,
				"zip64 locator: expected a record before %" PRIu64
				", found one at %" PRIu64,
				locator_position, *position);
	if (zip_pread(zip, raw, sizeof raw, *position, "zip64 end record", failure) < 0)
		return -1;
	if (le32(raw) != END64_MAGIC) {
		*position = locator_position - END64_SIZE;
		if (zip_pread(zip, raw, sizeof raw, *position, "zip64 end record", failure) < 0)
			return -1;
	}
	if (le32(raw) != END64_MAGIC)
		return zip_fail(zip, failure, FUSELAGE_E_ARCHIVE_CORRUPT,
				"zip64 end record at %" PRIu64
				": expected magic 0x%08x, found 0x%08" PRIx32,
				*position, END64_MAGIC, le32(raw));
	if (le32(raw + 16) != 0 || le32(raw + 20) != 0 || le64(raw + 24) != le64(raw + 32))
		return refuse_disks(zip, le32(raw + 16), failure);
	end->count = le64(raw + 32);
	end->directory_size = le64(raw + 40);
	end->directory = le64(raw + 48);
	return 0;
}

/*
 * Offsets count from the archive's first byte, which is not the file's when
 * something stands in front (a self-extractor's program): the directory ends
 * where the end record starts, and what is between there and the claim is the
 * length of that. When no central header is found so, offsets are taken as they
 * are.
 */
static int set_base(const struct zip *zip, struct zip_end *end, uint64_t limit,
		    struct failure *failure)
{
	uint8_t magic[4];

	if (end->directory_size > limit || end->directory > limit - end->directory_size)
		return zip_fail(zip, failure, FUSELAGE_E_ARCHIVE_CORRUPT,
				"central directory: expected it inside of %" PRIu64
				" bytes, found %" PRIu64 " bytes at %" PRIu64,
				limit, end->directory_size, end->directory);
	end->base = limit - end->directory_size - end->directory;
	if (end->base && end->count) {
		if (zip_pread(zip, magic, sizeof magic, end->base + end->directory,
			      "central directory", failure) < 0)
			return -1;
		if (le32(magic) != ZIP_CENTRAL_MAGIC)
			end->base = 0;
	}
	end->directory += end->base;
	return 0;
}

int zip_find_end(const struct zip *zip, struct zip_end *end, struct failure *failure)
{
	size_t most = LOCATOR_SIZE + END_SIZE + COMMENT_MAX;
	size_t size = zip->size < most ? (size_t)zip->size : most;
	uint64_t start = zip->size - size;
	OWNED uint8_t *tail = malloc(most);

	if (!tail)
		return zip_fail(zip, failure, FUSELAGE_E_OUT_OF_MEMORY, "end record");
	if (zip_pread(zip, tail, size, start, "end record", failure) < 0)
		return -1;

	const uint8_t *raw = search(tail, size);
	if (!raw)
		return zip_fail(zip, failure, FUSELAGE_E_ARCHIVE_CORRUPT,
				"expected an end of central directory record, found none "
				"(the file was cut, or is no zip file)");

	uint64_t limit = start + (uint64_t)(raw - tail);
	const uint8_t *locator = raw - LOCATOR_SIZE;
	if (raw - tail >= LOCATOR_SIZE && le32(locator) == LOCATOR_MAGIC) {
		if (read_end64(zip, locator, limit - LOCATOR_SIZE, end, &limit, failure) < 0)
			return -1;
		return set_base(zip, end, limit, failure);
	}
	if (le16(raw + 4) != 0 || le16(raw + 6) != 0 || le16(raw + 8) != le16(raw + 10))
		return refuse_disks(zip, le16(raw + 4), failure);
	end->count = le16(raw + 10);
	end->directory_size = le32(raw + 12);
	end->directory = le32(raw + 16);
	return set_base(zip, end, limit, failure);
}
