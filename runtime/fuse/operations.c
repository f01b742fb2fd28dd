#include "fuse/operations.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <linux/limits.h>
#include <string.h>

#define FOR_EVER UINT64_MAX
#define NODE_BIAS 2 /* a reference of 0 or 1 is as valid as any, node id 0 and 1 are taken */
/* Offsets of a listing: 0 "." , 1 "..", 2 the first entry, then the reader's cookie + 2. */
#define FIRST_ENTRY 2

static uint64_t node_of(const struct fuse_server *server, uint64_t ref)
{
	return ref == sqfs_reader_fs(server->reader)->super.root_ref ? FUSE_ROOT_ID :
								       ref + NODE_BIAS;
}

static int read_node(struct fuse_server *server, uint64_t node, struct sqfs_inode *inode)
{
	uint64_t root = sqfs_reader_fs(server->reader)->super.root_ref;
	int error = sqfs_inode_read(server->reader, node == FUSE_ROOT_ID ? root : node - NODE_BIAS,
				    inode);

	return error ? sqfs_errno(error) : 0;
}

static void fill_attr(const struct fuse_server *server, const struct sqfs_inode *inode,
		      struct fuse_attr *attr)
{
	uint64_t stored = inode->sparse < inode->size ? inode->size - inode->sparse : 0;

	*attr = (struct fuse_attr){
		.ino = inode->number,
		.size = inode->size,
		.blocks = inode->type == SQFS_FILE ? (stored + 511) / 512 : 0,
		.atime = inode->mtime,
		.mtime = inode->mtime,
		.ctime = inode->mtime,
		.mode = inode->mode,
		.nlink = inode->nlink,
		.uid = server->one_owner ? server->uid : inode->uid,
		.gid = server->one_owner ? server->gid : inode->gid,
		.rdev = inode->rdev,
		.blksize = 4096,
	};
}

static void fill_entry(const struct fuse_server *server, const struct sqfs_inode *inode,
		       struct fuse_entry_out *out)
{
	*out = (struct fuse_entry_out){
		.nodeid = node_of(server, inode->ref),
		.entry_valid = FOR_EVER,
		.attr_valid = FOR_EVER,
	};
	fill_attr(server, inode, &out->attr);
}

static void lookup(struct fuse_server *server, const struct fuse_request *request)
{
	struct fuse_entry_out out;
	struct sqfs_inode inode;
	struct sqfs_entry entry;
	size_t length = strnlen(request->body, request->body_size);
	int error = read_node(server, request->header->nodeid, &inode);

	if (!error) {
		int found = sqfs_dir_lookup(server->reader, &inode, request->body, length, &entry);
		if (found == SQFS_ENOENT) {
			/* Remembered as well: nothing will ever appear. */
			out = (struct fuse_entry_out){ .entry_valid = FOR_EVER };
			fuse_answer(server, request, 0, &out, sizeof out);
			return;
		}
		if (found == 0)
			found = sqfs_inode_read(server->reader, entry.ref, &inode);
		error = found ? sqfs_errno(found) : 0;
	}
	if (!error)
		fill_entry(server, &inode, &out);
	fuse_answer(server, request, error, &out, sizeof out);
}

static void get_attr(struct fuse_server *server, const struct fuse_request *request)
{
	struct fuse_attr_out out = { .attr_valid = FOR_EVER };
	struct sqfs_inode inode;
	int error = read_node(server, request->header->nodeid, &inode);

	if (!error)
		fill_attr(server, &inode, &out.attr);
	fuse_answer(server, request, error, &out, sizeof out);
}

static void read_link(struct fuse_server *server, const struct fuse_request *request)
{
	char target[PATH_MAX];
	struct sqfs_inode inode;
	ssize_t n = 0;
	int error = read_node(server, request->header->nodeid, &inode);

	if (!error) {
		n = sqfs_readlink(server->reader, &inode, target, sizeof target);
		error = n < 0 ? sqfs_errno((int)n) : 0;
	}
	fuse_answer(server, request, error, target, (size_t)n);
}

/* ENOSYS tells the kernel to open without asking from now on. */
static void open_node(struct fuse_server *server, const struct fuse_request *request,
		      bool directory)
{
	struct fuse_open_out out = {
		.open_flags = directory ? FOPEN_KEEP_CACHE | FOPEN_CACHE_DIR : FOPEN_KEEP_CACHE,
	};
	bool silent = directory ? server->no_opendir : server->no_open;

	fuse_answer(server, request, silent ? ENOSYS : 0, &out, sizeof out);
}

static void read_file(struct fuse_server *server, const struct fuse_request *request)
{
	const struct fuse_read_in *in = request->body;
	struct sqfs_inode inode;
	const uint8_t *data = NULL;
	ssize_t n = 0;

	if (request->body_size < sizeof *in) {
		fuse_answer(server, request, EINVAL, NULL, 0);
		return;
	}
	size_t size = in->size < FUSE_REPLY_MAX ? in->size : FUSE_REPLY_MAX;
	int error = read_node(server, request->header->nodeid, &inode);
	if (!error) {
		uint64_t rest = in->offset < inode.size ? inode.size - in->offset : 0;
		/* Within one block the answer leaves straight from the cache. */
		n = sqfs_read_block(server->reader, &inode, in->offset, &data);
		if (n > 0 && (!data || ((size_t)n < size && (uint64_t)n < rest))) {
			n = sqfs_pread(server->reader, &inode, server->reply, size, in->offset);
			data = server->reply;
		}
		error = n < 0 ? sqfs_errno((int)n) : 0;
	}
	if (!error && (size_t)n > size)
		n = (ssize_t)size;
	fuse_answer(server, request, error, data, (size_t)n);
}

/* An answer to READDIR or READDIRPLUS that is being filled. */
struct listing {
	struct fuse_server *server;
	bool plus;
	size_t room;
	size_t used;
};

/* Adds an entry; false when there is no room for it. */
static bool add_entry(struct listing *listing, const char *name, size_t length, uint64_t number,
		      uint32_t type, uint64_t next, const struct sqfs_inode *inode)
{
	uint8_t *at = listing->server->reply + listing->used;
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
		if (inode)
			fill_entry(listing->server, inode, &out);
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
	struct sqfs_reader *reader = listing->server->reader;

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

static void read_directory(struct fuse_server *server, const struct fuse_request *request,
			   bool plus)
{
	const struct fuse_read_in *in = request->body;
	struct listing listing = { .server = server, .plus = plus };
	struct sqfs_inode inode;

	if (request->body_size < sizeof *in) {
		fuse_answer(server, request, EINVAL, NULL, 0);
		return;
	}
	listing.room = in->size < FUSE_REPLY_MAX ? in->size : FUSE_REPLY_MAX;
	int error = read_node(server, request->header->nodeid, &inode);
	if (!error && inode.type != SQFS_DIR)
		error = ENOTDIR;
	if (!error) {
		int failed = fill_listing(&listing, &inode, in->offset);
		/* What came before a corrupt entry is still an answer; the next call fails. */
		if (failed && listing.used == 0)
			error = sqfs_errno(failed);
	}
	fuse_answer(server, request, error, server->reply, listing.used);
}

static void stat_fs(struct fuse_server *server, const struct fuse_request *request)
{
	const struct sqfs_super *super = &sqfs_reader_fs(server->reader)->super;
	struct fuse_statfs_out out = {
		.st = {
			.blocks = (super->bytes_used + super->block_size - 1) >> super->block_log,
			.files = super->inode_count,
			.bsize = super->block_size,
			.frsize = super->block_size,
			.namelen = SQFS_NAME_MAX,
		},
	};

	fuse_answer(server, request, 0, &out, sizeof out);
}

static bool hidden(const struct fuse_request *request, const char *name)
{
	/* As the kernel's own squashfs does: for administrators only. */
	return strncmp(name, "trusted.", 8) == 0 && request->header->uid != 0;
}

static void get_xattr(struct fuse_server *server, const struct fuse_request *request)
{
	const struct fuse_getxattr_in *in = request->body;
	const char *name = (const char *)(in + 1);
	struct sqfs_inode inode;
	ssize_t n = SQFS_ENOENT;

	if (request->body_size <= sizeof *in || !memchr(name, 0, request->body_size - sizeof *in)) {
		fuse_answer(server, request, EINVAL, NULL, 0);
		return;
	}
	size_t size = in->size < FUSE_REPLY_MAX ? in->size : FUSE_REPLY_MAX;
	int error = read_node(server, request->header->nodeid, &inode);
	if (!error && !hidden(request, name))
		n = sqfs_getxattr(server->reader, &inode, name, server->reply, size);
	if (!error && n < 0)
		error = n == SQFS_ENOENT ? ENODATA : sqfs_errno((int)n);

	struct fuse_getxattr_out out = { .size = n < 0 ? 0 : (uint32_t)n };
	if (in->size == 0)
		fuse_answer(server, request, error, &out, sizeof out);
	else
		fuse_answer(server, request, error, server->reply, n < 0 ? 0 : (size_t)n);
}

static size_t drop_hidden(const struct fuse_request *request, char *list, size_t size)
{
	size_t kept = 0;

	for (size_t at = 0; at < size;) {
		size_t length = strlen(list + at) + 1;
		if (!hidden(request, list + at)) {
			memmove(list + kept, list + at, length);
			kept += length;
		}
		at += length;
	}
	return kept;
}

static void list_xattr(struct fuse_server *server, const struct fuse_request *request)
{
	const struct fuse_getxattr_in *in = request->body;
	struct fuse_getxattr_out out = { 0 };
	struct sqfs_inode inode;
	size_t size = 0;

	if (request->body_size < sizeof *in) {
		fuse_answer(server, request, EINVAL, NULL, 0);
		return;
	}
	int error = read_node(server, request->header->nodeid, &inode);
	if (!error) {
		ssize_t n = sqfs_listxattr(server->reader, &inode, (char *)server->reply,
					   XATTR_LIST_MAX);
		error = n < 0 ? sqfs_errno((int)n) : 0;
		if (n > 0)
			size = drop_hidden(request, (char *)server->reply, (size_t)n);
	}
	if (!error && in->size && in->size < size)
		error = ERANGE;
	out.size = (uint32_t)size;
	if (in->size == 0)
		fuse_answer(server, request, error, &out, sizeof out);
	else
		fuse_answer(server, request, error, server->reply, size);
}

void fuse_operate(struct fuse_server *server, const struct fuse_request *request)
{
	switch (request->header->opcode) {
	case FUSE_LOOKUP:
		lookup(server, request);
		break;
	case FUSE_GETATTR:
		get_attr(server, request);
		break;
	case FUSE_READLINK:
		read_link(server, request);
		break;
	case FUSE_OPEN:
		open_node(server, request, false);
		break;
	case FUSE_OPENDIR:
		open_node(server, request, true);
		break;
	case FUSE_READ:
		read_file(server, request);
		break;
	case FUSE_READDIR:
		read_directory(server, request, false);
		break;
	case FUSE_READDIRPLUS:
		read_directory(server, request, true);
		break;
	case FUSE_STATFS:
		stat_fs(server, request);
		break;
	case FUSE_GETXATTR:
		get_xattr(server, request);
		break;
	case FUSE_LISTXATTR:
		list_xattr(server, request);
		break;
	case FUSE_RELEASE:
	case FUSE_RELEASEDIR:
	case FUSE_FLUSH:
	case FUSE_DESTROY:
		fuse_answer(server, request, 0, NULL, 0);
		break;
	default: /* the kernel remembers and does without */
		fuse_answer(server, request, ENOSYS, NULL, 0);
	}
}
