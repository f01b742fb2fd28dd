/*
 * A reader for squashfs 4.0 images that come from anyone.
 *
 * The image is a window [offset, offset + length) of a file descriptor. Nothing in it is trusted:
 * every field is checked where it is read, no allocation follows a claimed count, and nothing
 * recurses on image data. Functions return 0 or a count, and a negative SQFS_E* on failure;
 * sqfs_strerror gives words for it and sqfs_fault says which place of the image was at fault.
 *
 * One struct sqfs is shared by all threads once sqfs_open has returned, and so is a struct
 * sqfs_cache. A struct sqfs_reader (the codec's state, places in files and directories, and what
 * it holds of the cache) belongs to one thread.
 *
 * Format: https://dr-emann.github.io/squashfs/squashfs.html and the kernel's fs/squashfs.
 */
#ifndef SQUASHFS_SQUASHFS_H
#define SQUASHFS_SQUASHFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "generated/squashfs.h" /* numbers of the format, enum sqfs_error and what it means */

#define SQFS_NAME_MAX 256u
#define SQFS_XATTR_MAX 65536u /* bytes of a value, as XATTR_SIZE_MAX of the kernel */
#define SQFS_NO_ENTRY 0xffffffffu
#define SQFS_NO_TABLE UINT64_MAX

struct sqfs_super {
	uint32_t inode_count;
	uint32_t mtime; /* of the image, seconds since 1970 */
	uint32_t block_size; /* bytes, a power of two, 4096..1048576 */
	uint32_t fragment_count;
	uint16_t compressor; /* enum sqfs_compressor */
	uint16_t block_log;
	uint16_t flags;
	uint16_t id_count;
	uint64_t root_ref; /* inode reference */
	uint64_t bytes_used;
	uint64_t id_table;
	uint64_t xattr_table; /* SQFS_NO_TABLE: none */
	uint64_t inode_table;
	uint64_t directory_table;
	uint64_t fragment_table;
	uint64_t export_table;
};

struct sqfs {
	int fd; /* borrowed */
	uint64_t offset; /* of the image in the file, bytes */
	off_t file_size; /* and when it was last written to, as sqfs_open found it */
	struct timespec file_time;
	struct sqfs_super super;
	/* xattr id table header, valid when super.xattr_table != SQFS_NO_TABLE */
	uint64_t xattr_values; /* where the key-value metadata starts */
	uint32_t xattr_ids;
	uint64_t xattr_index; /* of the locations of the xattr id blocks */
};

/* An inode as the reader hands it out; every field is checked. */
struct sqfs_inode {
	uint64_t ref; /* (start of metadata block << 16) | offset in it, from inode_table */
	uint16_t type; /* enum sqfs_type, basic */
	bool extended; /* stored as the long form of its type */
	uint16_t mode; /* with the S_IF bits of its type */
	uint32_t uid;
	uint32_t gid;
	uint32_t mtime; /* seconds since 1970 */
	uint32_t number; /* 1..inode_count */
	uint32_t nlink;
	uint32_t xattr; /* index in the xattr id table or SQFS_NO_ENTRY */
	uint64_t
		size; /* file: bytes; symlink: length of the target; directory: of the listing + 3 */
	/* regular file */
	uint64_t blocks_start; /* first block, from the start of the image */
	uint64_t sparse; /* bytes saved by holes, as recorded */
	uint32_t fragment; /* index or SQFS_NO_ENTRY */
	uint32_t fragment_offset; /* in the decompressed fragment */
	/* directory */
	uint32_t dir_start; /* metadata block of the listing, from directory_table */
	uint16_t dir_offset; /* in that block */
	uint16_t dir_index_count;
	uint32_t parent; /* inode number */
	/* device */
	uint32_t rdev; /* as the kernel's new_encode_dev */
	/* where the rest of the inode (block list, symlink target, directory index) starts */
	uint64_t tail_block; /* metadata block, from the start of the image */
	uint32_t tail_offset;
};

struct sqfs_entry {
	uint64_t ref;
	uint64_t next; /* cookie of the entry that follows */
	uint32_t number; /* of the inode */
	uint16_t type; /* enum sqfs_type, basic */
	uint16_t name_len;
	uint32_t block; /* the metadata block in which it ends, from directory_table */
	char name[SQFS_NAME_MAX + 1]; /* NUL-terminated: no "/", no NUL, not "." or ".." */
};

struct sqfs_reader;
struct sqfs_cache;

/* What was at fault when a call failed: a phrase such as "inode at 0x1a2b: fragment index 7 of 3".
 * Belongs to the reader (or, for sqfs_open, to `fault`), valid until its next failure. */
#define SQFS_FAULT_MAX 160

/*
 * Reads and checks the superblock and the places of all tables. `length` is how many bytes of the
 * file belong to the image at the most (0: up to the end of the file). `fault` may be NULL or
 * takes SQFS_FAULT_MAX bytes.
 */
int sqfs_open(struct sqfs *fs, int fd, uint64_t offset, uint64_t length, char *fault);

const char *sqfs_strerror(int error);

/* What callers tell apart: whose fault it is, and what can be done. */
enum sqfs_error_class {
	SQFS_CLASS_CORRUPT,
	SQFS_CLASS_UNREADABLE, /* the file, by the system */
	SQFS_CLASS_TRUNCATED,
	SQFS_CLASS_MISSING, /* there is no image */
	SQFS_CLASS_UNSUPPORTED,
	SQFS_CLASS_MEMORY, /* nobody's: the image may be sound */
};

enum sqfs_error_class sqfs_error_class(int error);
/* errno that a file system would give for it */
int sqfs_errno(int error);
const char *sqfs_compressor_name(unsigned compressor); /* "zstd", ...; NULL: unknown */

/*
 * Decompressed blocks that up to `readers` readers share: `bytes` of file contents and a quarter
 * of it of metadata, but at least what the readers hold at once. It must outlive them. NULL: no
 * memory.
 */
struct sqfs_cache *sqfs_cache_new(const struct sqfs *fs, size_t bytes, unsigned readers);
void sqfs_cache_free(struct sqfs_cache *cache);
/* Blocks of file contents that were decompressed into it so far. */
uint64_t sqfs_cache_loads(struct sqfs_cache *cache);

/* A reader on a shared cache. NULL: no memory */
struct sqfs_reader *sqfs_reader_share(const struct sqfs *fs, struct sqfs_cache *cache);
/* A reader with a cache of its own, for `cache_bytes` of file contents. NULL: no memory */
struct sqfs_reader *sqfs_reader_new(const struct sqfs *fs, size_t cache_bytes);
void sqfs_reader_free(struct sqfs_reader *reader);
/* Calls `notify` whenever the reader is about to load a block of file contents, which takes long. */
void sqfs_before_load(struct sqfs_reader *reader, void (*notify)(void *), void *argument);
const struct sqfs *sqfs_reader_fs(const struct sqfs_reader *reader);
const char *sqfs_fault(const struct sqfs_reader *reader);

int sqfs_inode_read(struct sqfs_reader *reader, uint64_t ref, struct sqfs_inode *inode);
/* The reference of the one that stands behind it in the table. */
int sqfs_inode_after(struct sqfs_reader *reader, const struct sqfs_inode *inode, uint64_t *ref);
/* By number, through the export table; SQFS_ENOENT where the image has none. */
int sqfs_inode_by_number(struct sqfs_reader *reader, uint32_t number, uint64_t *ref);

/*
 * The entry at `cookie` (0: the first, else `next` of the entry before). Returns 1 and the entry,
 * or 0 at the end. A listing that is not strictly ascending by bytes is malformed: the kernel's
 * lookups rely on the order, and a name that stands twice is an attack on extractors.
 */
int sqfs_dir_next(struct sqfs_reader *reader, const struct sqfs_inode *dir, uint64_t cookie,
		  struct sqfs_entry *entry);
int sqfs_dir_lookup(struct sqfs_reader *reader, const struct sqfs_inode *dir, const char *name,
		    size_t name_len, struct sqfs_entry *entry);

/*
 * Walks a path below the root. Symbolic links resolve inside the image: ".." and absolute targets
 * never leave its root. `follow_last` is about the last component only.
 */
int sqfs_path_lookup(struct sqfs_reader *reader, const char *path, bool follow_last,
		     struct sqfs_inode *inode);

/* The target, NUL-terminated, into buffer of size >= inode->size + 1. Returns its length. */
ssize_t sqfs_readlink(struct sqfs_reader *reader, const struct sqfs_inode *inode, char *buffer,
		      size_t size);

/* Up to `size` bytes at `position`. Returns how many, fewer only at the end of the file. */
ssize_t sqfs_pread(struct sqfs_reader *reader, const struct sqfs_inode *inode, void *buffer,
		   size_t size, uint64_t position);

/*
 * The next stretch of a file at `position`, as the image keeps it: returns its length (0 at the
 * end); *data is NULL for a hole, else points into the cache and is valid until the next
 * call on this reader. Stretches never cross a block.
 */
ssize_t sqfs_read_block(struct sqfs_reader *reader, const struct sqfs_inode *inode,
			uint64_t position, const uint8_t **data);

/* The block of the last stretch will not be wanted again soon: its place is the next to be used. */
void sqfs_block_spent(struct sqfs_reader *reader);
/* Puts the block of a stretch into the cache, and waits for nobody. Returns the stretch's length, 0
 * at the end of the file, or an error. */
ssize_t sqfs_prefetch(struct sqfs_reader *reader, const struct sqfs_inode *inode,
		      uint64_t position);
/* The same for a fragment block by its index; SQFS_ENOENT behind the last one. */
int sqfs_prefetch_fragment(struct sqfs_reader *reader, uint32_t fragment);
/*
 * The kernel need not keep the image's own bytes of the full blocks from the one at `first` to the
 * one at `last` in memory. Costs the same for one and for many.
 */
void sqfs_forget_blocks(struct sqfs_reader *reader, const struct sqfs_inode *inode, uint64_t first,
			uint64_t last);

/*
 * Calls `visit` for each attribute with its full name and its value, both valid until it returns;
 * a result that is not 0 ends this, and is what it returns. `value` is room for SQFS_XATTR_MAX bytes,
 * or NULL: names alone.
 */
typedef int sqfs_xattr_visitor(void *context, const char *name, const void *value, size_t size);
int sqfs_each_xattr(struct sqfs_reader *reader, const struct sqfs_inode *inode, void *value,
		    sqfs_xattr_visitor *visit, void *context);

/* Names as NUL-terminated strings with their prefix, one after the other. Returns the bytes used;
 * with size 0, the bytes needed. */
ssize_t sqfs_listxattr(struct sqfs_reader *reader, const struct sqfs_inode *inode, char *list,
		       size_t size);
ssize_t sqfs_getxattr(struct sqfs_reader *reader, const struct sqfs_inode *inode, const char *name,
		      void *value, size_t size);

#endif
