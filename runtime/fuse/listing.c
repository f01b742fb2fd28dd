/* READDIR and READDIRPLUS. */
#include <dirent.h>
#include <errno.h>
#include <string.h>

#include "fuse/operations.h"

/* Offsets of a listing: 0 "." , 1 "..", 2 the first entry, then the reader's cookie + 2. */
#define FIRST_ENTRY 2

/* An answer to READDIR or READDIRPLUS that is being filled. */
struct listing {
	struct fuse_worker *worker;
	bool plus;
	size_t room;
	size_t used;
};

/* Adds an entry; false when there is no room for it. */
static bool add_entry(struct listing *listing, const char *name, size_t length, uint64_t number,
		      uint32_t type, uint64_t next, const struct sqfs_inode *inode)
{
	uint8_t *at = listing->worker->reply + listing->used;
	size_t head = listing->plus ? FUSE_NAME_OFFSET_DIRENTPLUS : FUSE_NAME_OFFSET;
	size_t size = FUSE_DIRENT_ALIGN(head + length);
	struct fuse_dirent dirent = {
		.ino = number,
		.off = next,
		.namelen = (uint32_t)length,
		.type = type,
	};

	if (size > listing->room - listing->used)
		return false;
	memset(at, 0, size);
	if (listing->plus) {
		struct fuse_entry_out out = { 0 }; /* "." and "..": no node to look up */
		if (inode) {
			fuse_fill_entry(listing->worker->server, inode, &out);
			prefetch_known(&listing->worker->server->prefetch, inode->number);
		}
		memcpy(at, &out, sizeof out);
		at += sizeof out;
	}
	memcpy(at, &dirent, FUSE_NAME_OFFSET);
	memcpy(at + FUSE_NAME_OFFSET, name, length);
	listing->used += size;
	return true;
}

static uint32_t entry_type(unsigned type)
{
	static const uint8_t types[] = {
		[SQFS_DIR] = DT_DIR,
		[SQFS_FILE] = DT_REG,
		[SQFS_SYMLINK] = DT_LNK,
		[SQFS_BLOCK_DEVICE] = DT_BLK,
		[SQFS_CHARACTER_DEVICE] = DT_CHR,
		[SQFS_FIFO] = DT_FIFO,
		[SQFS_SOCKET] = DT_SOCK,
	};

	return types[type];
}

static int fill_listing(struct listing *listing, const struct sqfs_inode *dir, uint64_t offset)
{
	struct sqfs_reader *reader = listing->worker->reader;

	if (offset == 0 && !add_entry(listing, ".", 1, dir->number, DT_DIR, 1, NULL))
		return 0;
	if (offset <= 1 && !add_entry(listing, "..", 2, dir->parent, DT_DIR, FIRST_ENTRY, NULL))
		return 0;
	uint64_t cookie = offset <= FIRST_ENTRY ? 0 : offset - FIRST_ENTRY;
	for (;;) {
		struct sqfs_entry entry;
		struct sqfs_inode inode;
		int found = sqfs_dir_next(reader, dir, cookie, &entry);
		if (found > 0 && listing->plus) {
			int error = sqfs_inode_read(reader, entry.ref, &inode);
			found = error ? error : found;
		}
		if (found <= 0)
			return found;
		if (!add_entry(listing, entry.name, entry.name_len, entry.number,
			       entry_type(entry.type), entry.next + FIRST_ENTRY,
			       listing->plus ? &inode : NULL))
			return 0;
		cookie = entry.next;
	}
}

void fuse_read_directory(struct fuse_worker *worker, const struct fuse_request *request, bool plus)
{
	const struct fuse_read_in *in = request->body;
	struct listing listing = { .worker = worker, .plus = plus };
	struct sqfs_inode inode;

	listing.room = in->size < FUSE_REPLY_MAX ? in->size : FUSE_REPLY_MAX;
	int error = fuse_read_node(worker, request->header->nodeid, &inode);
	if (!error && inode.type != SQFS_DIR)
		error = ENOTDIR;
	if (!error) {
		int failed = fill_listing(&listing, &inode, in->offset);
		/* What came before a corrupt entry is still an answer; the next call fails. */
		if (failed && listing.used == 0)
			error = fuse_errno(worker, failed);
	}
	fuse_answer(worker, request, error, worker->reply, listing.used);
}
