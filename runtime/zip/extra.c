/* Extra fields (APPNOTE 4.5): sizes of 64 bits, and times in which no zone is missing. */
#include "base/bytes.h"
#include "zip/zip_reader.h"

#define EXTRA_ZIP64 0x0001
#define EXTRA_NTFS 0x000a
#define EXTRA_UNIX 0x000d /* of PKWARE; time of access, time of change, owners */
#define EXTRA_TIMES 0x5455
#define EXTRA_OLD_UNIX 0x5855 /* of Info-ZIP, as macOS still writes it; it starts alike */

#define NTFS_TIMES 1 /* tag of the attribute within the field */
#define NTFS_PER_SECOND 10000000u
#define NTFS_EPOCH INT64_C(11644473600) /* seconds from 1601 to 1970 */
#define DAY 86400

const uint8_t *zip_find_extra(const struct zip_extra *extra, unsigned id, size_t *size)
{
	const uint8_t *at = extra->bytes;
	size_t left = extra->size;

	/* Alignment tools leave zeros here that are no field. */
	while (left >= 4 && le16(at + 2) <= left - 4) {
		*size = le16(at + 2);
		if (le16(at) == id)
			return at + 4;
		at += 4 + *size;
		left -= 4 + *size;
	}
	return NULL;
}

/* Sizes and offset of 32 bits that are all ones stand in the field, in this
 * order. */
static bool take_zip64(struct zip_entry *entry, const uint8_t *field, size_t size)
{
	uint64_t *const values[] = { &entry->size, &entry->compressed_size, &entry->header };

	for (size_t i = 0; i < 3; i++) {
		if (*values[i] != UINT32_MAX)
			continue;
		if (size < 8)
			return false;
		*values[i] = le64(field);
		field += 8;
		size -= 8;
	}
	return true;
}

int zip_take_sizes(const struct zip *zip, struct zip_entry *entry, const struct zip_extra *extra,
		   struct failure *failure)
{
	size_t size;

	if (entry->size != UINT32_MAX && entry->compressed_size != UINT32_MAX &&
	    entry->header != UINT32_MAX)
		return 0;
	const uint8_t *field = zip_find_extra(extra, EXTRA_ZIP64, &size);
	if (field && take_zip64(entry, field, size))
		return 0;
	return zip_fail_at(zip, entry, failure, FUSELAGE_E_ARCHIVE_CORRUPT,
			   "sizes: expected a zip64 field, found none");
}

/* Before 1970 it is negative. From 2038 on it overflows, which the time of MS-DOS beside it tells
 * apart; that may be of any zone. */
static int64_t unix_time(const struct zip_entry *entry, const uint8_t *field)
{
	int64_t seconds = (int32_t)le32(field);

	return seconds < 0 && entry->mtime > INT32_MAX - DAY ? seconds + (INT64_C(1) << 32) :
							       seconds;
}

/* The attribute with the times, of which the first is that of the last change. */
static bool ntfs_time(const uint8_t *field, size_t size, int64_t *seconds)
{
	const struct zip_extra attributes = { field + 4, size - 4 };
	size_t times_size;
	const uint8_t *times = zip_find_extra(&attributes, NTFS_TIMES, &times_size);

	if (!times || times_size < 8 || le64(times) == 0)
		return false;
	*seconds = (int64_t)(le64(times) / NTFS_PER_SECOND) - NTFS_EPOCH;
	return true;
}

void zip_take_time(struct zip_entry *entry, const struct zip_extra *extra)
{
	static const unsigned alike[] = { EXTRA_UNIX, EXTRA_OLD_UNIX };
	const uint8_t *field;
	size_t size;

	/* The only one that knows every year. */
	field = zip_find_extra(extra, EXTRA_NTFS, &size);
	if (field && size >= 4 && ntfs_time(field, size, &entry->mtime))
		return;
	field = zip_find_extra(extra, EXTRA_TIMES, &size);
	if (field && size >= 5 && field[0] & 1) {
		entry->mtime = unix_time(entry, field + 1);
		return;
	}
	for (size_t i = 0; i < 2; i++) {
		field = zip_find_extra(extra, alike[i], &size);
		if (field && size >= 8) {
			entry->mtime = unix_time(entry, field + 4);
			return;
		}
	}
}
