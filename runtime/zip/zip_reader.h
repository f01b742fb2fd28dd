/* What the parts of the zip reader share. */
#ifndef ZIP_READER_H
#define ZIP_READER_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <zlib.h>

#include "zip/zip.h"

#define ZIP_ENTRIES_MAX (UINT32_C(1) << 24)
#define ZIP_DEPTH_MAX 256 /* levels of directories below the root */

#define ZIP_STORED 0
#define ZIP_DEFLATED 8

#define ZIP_INPUT_BYTES 65536
#define ZIP_OUTPUT_BYTES 131072 /* also a block of the squashfs images made of it */

/* Directories without an entry of their own, the root among them. */
#define ZIP_NO_HEADER UINT64_MAX

struct zip_entry {
	const char *path; /* not terminated: a directory may share the name of an
                         entry in it */
	uint16_t path_size; /* bytes, without the slash at a directory's end; 0: the
                         root */
	bool directory; /* its name says so, by a slash at the end */
	const char *stored; /* the name as its headers have it, `stored_size` bytes */
	uint16_t stored_size;
	uint16_t mode; /* as st_mode: type and permissions, no set-id and sticky bits */
	uint16_t method;
	uint32_t crc;
	uint32_t parent; /* index of the directory it is in; the root's own is 0 */
	uint32_t end; /* index behind the last entry inside of it */
	uint64_t compressed_size; /* bytes */
	uint64_t size; /* bytes */
	uint64_t header; /* of its local header in the file, bytes */
	uint64_t data; /* of its contents in the file, bytes */
	int64_t mtime; /* seconds since 1970 */
};

/* Names live until the archive is closed, at addresses that stay. */
struct zip_names;

struct zip {
	int fd; /* the caller's */
	uint64_t size;
	const char *file;
	struct zip_entry *entries; /* the root is the first */
	size_t count;
	size_t room;
	struct zip_names *names;
	bool inflating; /* the stream is initialised */
	z_stream inflate;
	uint8_t input[ZIP_INPUT_BYTES];
	uint8_t output[ZIP_OUTPUT_BYTES];
};

/* Where the end record says that the central directory is. */
struct zip_end {
	uint64_t base; /* bytes before the archive; every offset in it counts from here */
	uint64_t directory; /* of the first central header in the file, bytes */
	uint64_t directory_size; /* bytes */
	uint64_t count; /* entries, as claimed */
};

/* "FILE: what ...", and "FILE: ENTRY: what ..." with what a terminal could
 * mistake left out. */
__attribute__((format(printf, 4, 5))) int zip_fail(const struct zip *zip, struct failure *failure,
						   enum fuselage_code code, const char *format,
						   ...);
__attribute__((format(printf, 5, 6))) int
zip_fail_at(const struct zip *zip, const struct zip_entry *entry, struct failure *failure,
	    enum fuselage_code code, const char *format, ...);

/* Reads exactly `size` bytes, or fails with `what` as the place. */
int zip_pread(const struct zip *zip, void *buffer, size_t size, uint64_t position, const char *what,
	      struct failure *failure);

int zip_find_end(const struct zip *zip, struct zip_end *end, struct failure *failure);
/* Fills `entries` in the archive's order. */
int zip_read_central(struct zip *zip, const struct zip_end *end, struct failure *failure);
/* The extra fields of a header (APPNOTE 4.5): id, size and content of each. */
struct zip_extra {
	const uint8_t *bytes;
	size_t size;
};
/* The content of the first field with this id, or NULL. */
const uint8_t *zip_find_extra(const struct zip_extra *extra, unsigned id, size_t *size);
/* Sizes and offset that need 64 bits. */
int zip_take_sizes(const struct zip *zip, struct zip_entry *entry, const struct zip_extra *extra,
		   struct failure *failure);
/* A time that is better than that of MS-DOS, which the entry has. */
void zip_take_time(struct zip_entry *entry, const struct zip_extra *extra);

/* A name as it stands in a central header. */
struct zip_stored_name {
	const uint8_t *bytes;
	size_t size;
	unsigned made_by; /* system of its maker, the upper byte of "version made by" */
	bool utf8; /* general purpose bit 11 */
};
/* Sets the path of the entry and what its headers call it, for good names only. */
int zip_take_name(struct zip *zip, struct zip_entry *entry, const struct zip_stored_name *name,
		  const struct zip_extra *extra, struct failure *failure);

/* Appends an entry. Returns it, or NULL when there is no memory. */
struct zip_entry *zip_add_entry(struct zip *zip, const struct zip_entry *entry);
/* Room for a name of `size` bytes, or NULL. */
char *zip_add_name(struct zip *zip, size_t size);
/* Compares every local header with its entry and refuses those that overlap;
 * sets `data`. */
int zip_check_local(struct zip *zip, const struct zip_end *end, struct failure *failure);
/* Sorts the entries into a tree, adds the directories that have no entry, sets
 * parent and end. */
int zip_make_tree(struct zip *zip, struct failure *failure);

/* Takes the contents in order. Returns 0, or -1 with the failure recorded,
 * which ends it. */
typedef int zip_sink(void *context, const uint8_t *data, size_t size, struct failure *failure);
/*
 * Unpacks the contents of a file or symlink and checks size and CRC-32. The
 * sink is given ZIP_OUTPUT_BYTES at a time, less only at the end.
 */
int zip_read(struct zip *zip, const struct zip_entry *entry, zip_sink *sink, void *context,
	     struct failure *failure);
/* Reads the target of a symlink, terminated. */
int zip_readlink(struct zip *zip, const struct zip_entry *entry, char target[PATH_MAX],
		 struct failure *failure);

static inline uint32_t zip_type(const struct zip_entry *entry)
{
	return entry->mode & S_IFMT;
}

/* The last component. */
static inline const char *zip_base(const struct zip *zip, const struct zip_entry *entry,
				   size_t *size)
{
	const struct zip_entry *parent = &zip->entries[entry->parent];
	size_t skip = parent->path_size ? parent->path_size + 1u : 0;

	*size = entry->path_size - skip;
	return entry->path + skip;
}

#endif
