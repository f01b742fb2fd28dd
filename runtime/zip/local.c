/*
 * A local header (APPNOTE 4.3.7) stands before the contents of each entry.
 * Several entries that share the same contents make a bomb of a small file, so
 * each must have bytes of its own.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "libc/sort.h"
#include "zip/zip_reader.h"

#define LOCAL_SIZE 30
#define FLAG_ENCRYPTED 0x0001u

static int by_header(const void *left, const void *right)
{
	const struct zip_entry *a = left;
	const struct zip_entry *b = right;

	return (a->header > b->header) - (a->header < b->header);
}

static int check_header(const struct zip *zip, struct zip_entry *entry, struct failure *failure)
{
	uint8_t raw[LOCAL_SIZE + PATH_MAX];

	if (zip_pread(zip, raw, LOCAL_SIZE + (size_t)entry->stored_size, entry->header,
		      "local header", failure) < 0)
		return -1;
	if (le32(raw) != ZIP_LOCAL_MAGIC)
		return zip_fail_at(zip, entry, failure, FUSELAGE_E_ARCHIVE_CORRUPT,
				   "local header at %" PRIu64
				   ": expected magic 0x%08x, found 0x%08" PRIx32,
				   entry->header, ZIP_LOCAL_MAGIC, le32(raw));
	if (le16(raw + 6) & FLAG_ENCRYPTED)
		return zip_fail_at(zip, entry, failure, FUSELAGE_E_ARCHIVE_UNSUPPORTED,
				   "contents: expected them unencrypted, found encryption");
	if (le16(raw + 8) != entry->method)
		return zip_fail_at(zip, entry, failure, FUSELAGE_E_ARCHIVE_CORRUPT,
				   "local header: expected method %u, found %u", entry->method,
				   le16(raw + 8));
	if (le16(raw + 26) != entry->stored_size ||
	    memcmp(raw + LOCAL_SIZE, entry->stored, entry->stored_size) != 0)
		return zip_fail_at(zip, entry, failure, FUSELAGE_E_ARCHIVE_CORRUPT,
				   "local header: expected the same name, found another");
	entry->data = entry->header + LOCAL_SIZE + entry->stored_size + le16(raw + 28);
	return 0;
}

int zip_check_local(struct zip *zip, const struct zip_end *end, struct failure *failure)
{
	uint64_t free_from = 0;

	if (zip->count)
		sort(zip->entries, zip->count, sizeof *zip->entries, by_header);
	for (size_t i = 0; i < zip->count; i++) {
		struct zip_entry *entry = &zip->entries[i];
		if (entry->header < free_from)
			return zip_fail_at(zip, entry, failure, FUSELAGE_E_ARCHIVE_UNSAFE,
					   "local header: expected it behind %" PRIu64
					   " where the entry before ends, found it at %" PRIu64,
					   free_from, entry->header);
		if (check_header(zip, entry, failure) < 0)
			return -1;
		if (entry->data > end->directory ||
		    entry->compressed_size > end->directory - entry->data)
			return zip_fail_at(zip, entry, failure, FUSELAGE_E_ARCHIVE_CORRUPT,
					   "contents at %" PRIu64 ": expected at most %" PRIu64
					   " bytes, found %" PRIu64,
					   entry->data,
					   entry->data > end->directory ?
						   UINT64_C(0) :
						   end->directory - entry->data,
					   entry->compressed_size);
		free_from = entry->data + entry->compressed_size;
	}
	return 0;
}
