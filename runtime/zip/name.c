/*
 * Names. Their encoding is guessed as Info-ZIP and libarchive do: the Unicode path field where it
 * belongs to this name; UTF-8 where bit 11 or the bytes say so; code page 437 for what Windows and
 * its kin made; else bytes, as other systems have them.
 */
#include <inttypes.h>
#include <lzma.h>
#include <string.h>

#include "base/bytes.h"
#include "zip/zip_reader.h"

#define EXTRA_UNICODE_PATH 0x7075
#define UNICODE_PATH_HEAD 5 /* version and the CRC-32 of the name that it is for */

/* What the bytes from 0x80 are in Unicode. */
static const uint16_t code_page_437[128] = {
	0x00c7, 0x00fc, 0x00e9, 0x00e2, 0x00e4, 0x00e0, 0x00e5, 0x00e7, 0x00ea, 0x00eb, 0x00e8,
	0x00ef, 0x00ee, 0x00ec, 0x00c4, 0x00c5, 0x00c9, 0x00e6, 0x00c6, 0x00f4, 0x00f6, 0x00f2,
	0x00fb, 0x00f9, 0x00ff, 0x00d6, 0x00dc, 0x00a2, 0x00a3, 0x00a5, 0x20a7, 0x0192, 0x00e1,
	0x00ed, 0x00f3, 0x00fa, 0x00f1, 0x00d1, 0x00aa, 0x00ba, 0x00bf, 0x2310, 0x00ac, 0x00bd,
	0x00bc, 0x00a1, 0x00ab, 0x00bb, 0x2591, 0x2592, 0x2593, 0x2502, 0x2524, 0x2561, 0x2562,
	0x2556, 0x2555, 0x2563, 0x2551, 0x2557, 0x255d, 0x255c, 0x255b, 0x2510, 0x2514, 0x2534,
	0x252c, 0x251c, 0x2500, 0x253c, 0x255e, 0x255f, 0x255a, 0x2554, 0x2569, 0x2566, 0x2560,
	0x2550, 0x256c, 0x2567, 0x2568, 0x2564, 0x2565, 0x2559, 0x2558, 0x2552, 0x2553, 0x256b,
	0x256a, 0x2518, 0x250c, 0x2588, 0x2584, 0x258c, 0x2590, 0x2580, 0x03b1, 0x00df, 0x0393,
	0x03c0, 0x03a3, 0x03c3, 0x00b5, 0x03c4, 0x03a6, 0x0398, 0x03a9, 0x03b4, 0x221e, 0x03c6,
	0x03b5, 0x2229, 0x2261, 0x00b1, 0x2265, 0x2264, 0x2320, 0x2321, 0x00f7, 0x2248, 0x00b0,
	0x2219, 0x00b7, 0x221a, 0x207f, 0x00b2, 0x25a0, 0x00a0,
};

/* Systems where a backslash separates and no name has one: FAT, HPFS, NTFS as APPNOTE and as
 * Info-ZIP number it, VFAT. */
static bool made_on_windows(unsigned made_by)
{
	return made_by == 0 || made_by == 6 || made_by == 10 || made_by == 11 || made_by == 14;
}

/* Bytes of the character that starts here, or 0: cut, overlong, a surrogate or none at all. */
static size_t utf8_size(const uint8_t *bytes, size_t left)
{
	uint8_t first = bytes[0];
	size_t size = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;

	if (size == 0 || first > 0xf4 || size > left)
		return 0;
	for (size_t i = 1; i < size; i++)
		if ((bytes[i] & 0xc0) != 0x80)
			return 0;
	bool overlong = (first == 0xe0 && bytes[1] < 0xa0) || (first == 0xf0 && bytes[1] < 0x90);
	bool outside = (first == 0xed && bytes[1] > 0x9f) || (first == 0xf4 && bytes[1] > 0x8f);
	return overlong || outside ? 0 : size;
}

static bool is_utf8(const uint8_t *bytes, size_t size)
{
	for (size_t at = 0; at < size;) {
		size_t n = utf8_size(bytes + at, size - at);
		if (n == 0)
			return false;
		at += n;
	}
	return true;
}

/* The Unicode path field, unless a tool that does not know it has changed the name since. */
static const uint8_t *unicode_path(const struct zip_stored_name *name,
				   const struct zip_extra *extra, size_t *size)
{
	size_t field_size;
	const uint8_t *field = zip_find_extra(extra, EXTRA_UNICODE_PATH, &field_size);

	if (!field || field_size <= UNICODE_PATH_HEAD || field[0] != 1 ||
	    le32(field + 1) != lzma_crc32(name->bytes, name->size, 0))
		return NULL;
	*size = field_size - UNICODE_PATH_HEAD;
	return is_utf8(field + UNICODE_PATH_HEAD, *size) ? field + UNICODE_PATH_HEAD : NULL;
}

static size_t put_utf8(uint8_t out[3], uint16_t character)
{
	if (character < 0x80) {
		out[0] = (uint8_t)character;
		return 1;
	}
	if (character < 0x800) {
		out[0] = (uint8_t)(0xc0 | character >> 6);
		out[1] = (uint8_t)(0x80 | (character & 0x3f));
		return 2;
	}
	out[0] = (uint8_t)(0xe0 | character >> 12);
	out[1] = (uint8_t)(0x80 | (character >> 6 & 0x3f));
	out[2] = (uint8_t)(0x80 | (character & 0x3f));
	return 3;
}

/* Into `out`, which has room for three times `size`. Returns the bytes there. */
static size_t from_code_page(const uint8_t *bytes, size_t size, uint8_t *out)
{
	size_t made = 0;

	for (size_t i = 0; i < size; i++)
		made += put_utf8(out + made,
				 bytes[i] < 0x80 ? bytes[i] : code_page_437[bytes[i] - 0x80]);
	return made;
}

static int check_size(const struct zip *zip, size_t size, struct failure *failure)
{
	if (size && size < PATH_MAX)
		return 0;
	return zip_fail(zip, failure, FUSELAGE_E_ARCHIVE_UNSAFE,
			"entry %zu: name: expected 1 to %d bytes, found %zu", zip->count,
			PATH_MAX - 1, size);
}

static int check_components(const struct zip *zip, const struct zip_entry *entry,
			    struct failure *failure)
{
	const char *end = entry->path + entry->path_size;
	unsigned depth = 0;

	if (entry->path[0] == '/')
		return zip_fail_at(zip, entry, failure, FUSELAGE_E_ARCHIVE_UNSAFE,
				   "name: expected a relative path, found an absolute one");
	if (memchr(entry->path, 0, entry->path_size))
		return zip_fail_at(zip, entry, failure, FUSELAGE_E_ARCHIVE_UNSAFE,
				   "name: expected text, found a NUL byte");
	for (const char *part = entry->path;;) {
		const char *slash = memchr(part, '/', (size_t)(end - part));
		size_t size = (size_t)((slash ? slash : end) - part);
		bool dots = size <= 2 && memcmp(part, "..", size) == 0; /* "" too */
		if (dots || size > NAME_MAX)
			return zip_fail_at(zip, entry, failure, FUSELAGE_E_ARCHIVE_UNSAFE,
					   "name: expected components of 1 to %d bytes, not \".\" "
					   "or \"..\", found \"%.*s\"",
					   NAME_MAX, size > 80 ? 80 : (int)size, part);
		if (++depth > ZIP_DEPTH_MAX)
			return zip_fail_at(zip, entry, failure, FUSELAGE_E_ARCHIVE_UNSUPPORTED,
					   "name: expected at most %d levels, found more",
					   ZIP_DEPTH_MAX);
		if (!slash)
			return 0;
		part = slash + 1;
	}
}

/* libarchive writes what is in "." as "./NAME", and "./" for that folder itself. */
static size_t skip_prefix(const char *name, size_t size)
{
	size_t prefix = 0;

	while (size - prefix >= 2 && name[prefix] == '.' && name[prefix + 1] == '/')
		prefix += 2;
	return prefix;
}

static void separate(char *name, size_t size)
{
	if (memchr(name, '/', size))
		return;
	for (size_t i = 0; i < size; i++)
		if (name[i] == '\\')
			name[i] = '/';
}

static char *keep(struct zip *zip, const uint8_t *bytes, size_t size, struct failure *failure)
{
	char *name = zip_add_name(zip, size);

	if (name)
		memcpy(name, bytes, size);
	else
		(void)zip_fail(zip, failure, FUSELAGE_E_OUT_OF_MEMORY, "names");
	return name;
}

int zip_take_name(struct zip *zip, struct zip_entry *entry, const struct zip_stored_name *name,
		  const struct zip_extra *extra, struct failure *failure)
{
	uint8_t decoded[3 * PATH_MAX];
	bool windows = made_on_windows(name->made_by);
	size_t size = name->size;

	if (check_size(zip, size, failure) < 0)
		return -1;
	const uint8_t *bytes = unicode_path(name, extra, &size);
	if (!bytes && windows && !name->utf8 && !is_utf8(name->bytes, name->size)) {
		size = from_code_page(name->bytes, name->size, decoded);
		bytes = decoded;
	}
	char *stored = keep(zip, name->bytes, name->size, failure);
	if (!stored || check_size(zip, size, failure) < 0)
		return -1;
	char *path = stored;
	if (bytes || (windows && memchr(stored, '\\', size)))
		path = keep(zip, bytes ? bytes : name->bytes, size, failure);
	if (!path)
		return -1;
	if (windows)
		separate(path, size);

	entry->stored = stored;
	entry->stored_size = (uint16_t)name->size;
	entry->directory = path[size - 1] == '/';
	size_t prefix = skip_prefix(path, size);
	entry->path = path + prefix;
	size -= prefix;
	entry->path_size = (uint16_t)(size > 1 && entry->path[size - 1] == '/' ? size - 1 : size);
	return prefix && size == 0 ? 0 : check_components(zip, entry, failure);
}
