#include "zip/zip.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "zip/zip_reader.h"

#define NAMES_BYTES (1u << 16)

struct zip_names {
	struct zip_names *next;
	size_t used;
	char bytes[NAMES_BYTES];
};

static int record(struct failure *failure, enum fuselage_code code, const char *place,
		  const char *format, va_list arguments)
{
	char text[512];

	vsnprintf(text, sizeof text, format, arguments);
	return fail(failure, code, "%s: %s", place, text);
}

int zip_fail(const struct zip *zip, struct failure *failure, enum fuselage_code code,
	     const char *format, ...)
{
	char place[256];
	va_list arguments;

	snprintf(place, sizeof place, "%.240s", zip->file);
	va_start(arguments, format);
	int result = record(failure, code, place, format, arguments);
	va_end(arguments);
	return result;
}

int zip_fail_at(const struct zip *zip, const struct zip_entry *entry, struct failure *failure,
		enum fuselage_code code, const char *format, ...)
{
	char place[512];
	va_list arguments;
	int shown = entry->path_size < 200 ? entry->path_size : 200;

	size_t head = (size_t)snprintf(place, sizeof place, "%.240s: ", zip->file);
	snprintf(place + head, sizeof place - head, "%.*s", shown, entry->path);
	for (char *c = place + head; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';
	va_start(arguments, format);
	int result = record(failure, code, place, format, arguments);
	va_end(arguments);
	return result;
}

int zip_pread(const struct zip *zip, void *buffer, size_t size, uint64_t position, const char *what,
	      struct failure *failure)
{
	ssize_t n = pread_full(zip->fd, buffer, size, position);

	if (n < 0)
		return zip_fail(zip, failure, FUSELAGE_E_ARCHIVE_CORRUPT,
				"%s at %llu: cannot be read: %s", what,
				(unsigned long long)position, strerror(errno));
	if ((size_t)n < size)
		return zip_fail(zip, failure, FUSELAGE_E_ARCHIVE_CORRUPT,
				"%s at %llu: expected %zu bytes, found %zd", what,
				(unsigned long long)position, size, n);
	return 0;
}

struct zip_entry *zip_add_entry(struct zip *zip, const struct zip_entry *entry)
{
	if (zip->count == zip->room) {
		size_t room = zip->room ? zip->room * 2 : 64;
		struct zip_entry *entries = realloc(zip->entries, room * sizeof *entries);
		if (!entries)
			return NULL;
		zip->entries = entries;
		zip->room = room;
	}
	zip->entries[zip->count] = *entry;
	return &zip->entries[zip->count++];
}

char *zip_add_name(struct zip *zip, size_t size)
{
	struct zip_names *names = zip->names;

	if (!names || NAMES_BYTES - names->used < size) {
		names = size > NAMES_BYTES ? NULL : malloc(sizeof *names);
		if (!names)
			return NULL;
		names->next = zip->names;
		names->used = 0;
		zip->names = names;
	}
	char *name = names->bytes + names->used;
	names->used += size;
	return name;
}

static void free_names(struct zip *zip)
{
	while (zip->names) {
		struct zip_names *next = zip->names->next;
		free(zip->names);
		zip->names = next;
	}
}

/* Local headers are compared in the file's order, before the entries get the
 * tree's. */
static int read_lists(struct zip *zip, struct failure *failure)
{
	struct zip_end end;

	if (zip_find_end(zip, &end, failure) < 0 || zip_read_central(zip, &end, failure) < 0 ||
	    zip_check_local(zip, &end, failure) < 0)
		return -1;
	return zip_make_tree(zip, failure);
}

int zip_open(int fd, uint64_t size, const char *file, struct zip **zip, struct failure *failure)
{
	struct zip *opened = calloc(1, sizeof *opened);

	*zip = NULL;
	if (!opened)
		return fail(failure, FUSELAGE_E_OUT_OF_MEMORY, "%.240s: zip reader", file);
	opened->fd = fd;
	opened->size = size;
	opened->file = file;
	if (read_lists(opened, failure) < 0) {
		zip_free(opened);
		return -1;
	}
	*zip = opened;
	return 0;
}

void zip_free(struct zip *zip)
{
	if (!zip)
		return;
	if (zip->inflating)
		inflateEnd(&zip->inflate);
	free_names(zip);
	free(zip->entries);
	free(zip);
}
