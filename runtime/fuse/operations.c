#include "fuse/operations.h"

#include <errno.h>
#include <limits.h>
#include <linux/limits.h>
#include <stdio.h>
#include <string.h>

#include "fuse/file_path.h"

#define NODE_BIAS 2 /* a reference of 0 or 1 is as valid as any, node id 0 and 1 are taken */

uint64_t fuse_node_of(const struct fuse_server *server, uint64_t ref)
{
	return ref == server->fs->super.root_ref ? FUSE_ROOT_ID : ref + NODE_BIAS;
}

int fuse_errno(struct fuse_worker *worker, int error)
{
	return fuse_log_failure(&worker->server->log, error, sqfs_fault(worker->reader), NULL);
}

int fuse_file_errno(struct fuse_worker *worker, const struct sqfs_inode *inode, int error)
{
	struct fuse_file_path *walk = (void *)worker->reply; /* there will be no other answer */
	char fault[SQFS_FAULT_MAX]; /* the walk may fail as well */

	_Static_assert(sizeof *walk <= FUSE_REPLY_MAX, "an answer has room for a walk");
	if (!fuse_log_wants(&worker->server->log, error))
		return fuse_errno(worker, error);
	snprintf(fault, sizeof fault, "%s", sqfs_fault(worker->reader));
	if (!fuse_file_path_find(worker->reader, inode->ref, walk))
		snprintf(walk->path, sizeof walk->path, "inode %u", (unsigned)inode->number);
	return fuse_log_failure(&worker->server->log, error, fault, walk->path);
}

int fuse_read_node(struct fuse_worker *worker, uint64_t node, struct sqfs_inode *inode)
{
	uint64_t root = worker->server->fs->super.root_ref;
	int error = sqfs_inode_read(worker->reader, node == FUSE_ROOT_ID ? root : node - NODE_BIAS,
				    inode);

	return error ? fuse_errno(worker, error) : 0;
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

void fuse_fill_entry(const struct fuse_server *server, const struct sqfs_inode *inode,
		     struct fuse_entry_out *out)
{
	*out = (struct fuse_entry_out){
		.nodeid = fuse_node_of(server, inode->ref),
		.entry_valid = FUSE_FOR_EVER,
		.attr_valid = FUSE_FOR_EVER,
	};
	fill_attr(server, inode, &out->attr);
}

/*
 * "." and "..", which only file handles ask for. The kernel takes a handle's node id for one that it
 * was given once; the export table is the judge of that, and names the parent.
 */
static int look_back(struct fuse_worker *worker, const struct sqfs_inode *inode, bool parent,
		     uint64_t *ref)
{
	*ref = worker->server->fs->super.root_ref;
	if (parent && inode->ref == *ref)
		return 0;
	int error =
		sqfs_inode_by_number(worker->reader, parent ? inode->parent : inode->number, ref);
	return !error && !parent && inode->ref != *ref ? SQFS_ENOENT : error;
}

static void lookup(struct fuse_worker *worker, const struct fuse_request *request)
{
	struct fuse_entry_out out;
	struct sqfs_inode inode;
	struct sqfs_entry entry;
	size_t length = strnlen(request->body, request->body_size);
	/* The kernel's own limit for FUSE is higher than that of any other file system. */
	int error = length > SQFS_NAME_MAX ?
			    ENAMETOOLONG :
			    fuse_read_node(worker, request->header->nodeid, &inode);

	if (!error) {
		bool dots = length - 1 < 2 && memcmp(request->body, "..", length) == 0;
		int found = dots ? look_back(worker, &inode, length == 2, &entry.ref) :
				   sqfs_dir_lookup(worker->reader, &inode, request->body, length,
						   &entry);
		if (found == SQFS_ENOENT) {
			/* Remembered as well: nothing will ever appear. */
			out = (struct fuse_entry_out){ .entry_valid = FUSE_FOR_EVER };
			fuse_answer(worker, request, 0, &out, sizeof out);
			return;
		}
		if (found == 0)
			found = sqfs_inode_read(worker->reader, entry.ref, &inode);
		if (found == 0)
			prefetch_known(&worker->server->prefetch, inode.number);
		error = found ? fuse_errno(worker, found) : 0;
	}
	if (!error)
		fuse_fill_entry(worker->server, &inode, &out);
	fuse_answer(worker, request, error, &out, sizeof out);
}

static void get_attr(struct fuse_worker *worker, const struct fuse_request *request)
{
	struct fuse_attr_out out = { .attr_valid = FUSE_FOR_EVER };
	struct sqfs_inode inode;
	int error = fuse_read_node(worker, request->header->nodeid, &inode);

	if (!error)
		fill_attr(worker->server, &inode, &out.attr);
	fuse_answer(worker, request, error, &out, sizeof out);
}

static void read_link(struct fuse_worker *worker, const struct fuse_request *request)
{
	char target[PATH_MAX];
	struct sqfs_inode inode;
	ssize_t n = 0;
	int error = fuse_read_node(worker, request->header->nodeid, &inode);

	if (!error) {
		n = sqfs_readlink(worker->reader, &inode, target, sizeof target);
		error = n < 0 ? fuse_errno(worker, (int)n) : 0;
	}
	fuse_answer(worker, request, error, target, (size_t)n);
}

/* ENOSYS tells the kernel to open without asking from now on. */
static void open_node(struct fuse_worker *worker, const struct fuse_request *request,
		      bool directory)
{
	struct fuse_open_out out = {
		.open_flags = directory ? FOPEN_KEEP_CACHE | FOPEN_CACHE_DIR : FOPEN_KEEP_CACHE,
	};
	bool silent = directory ? worker->server->no_opendir : worker->server->no_open;

	fuse_answer(worker, request, silent ? ENOSYS : 0, &out, sizeof out);
}

static void stat_fs(struct fuse_worker *worker, const struct fuse_request *request)
{
	const struct sqfs_super *super = &worker->server->fs->super;
	struct fuse_statfs_out out = {
		.st = {
			.blocks = (super->bytes_used + super->block_size - 1) >> super->block_log,
			.files = super->inode_count,
			.bsize = super->block_size,
			.frsize = super->block_size,
			.namelen = SQFS_NAME_MAX,
		},
	};

	fuse_answer(worker, request, 0, &out, sizeof out);
}

static bool hidden(const struct fuse_worker *worker, const struct fuse_request *request,
		   const char *name)
{
	/*
	 * It is root's, who is nobody where every file is the caller's: the kernel answers EOVERFLOW, and
	 * an overlay that finds it in the list copies no such file.
	 */
	if (worker->server->one_owner && strcmp(name, "security.capability") == 0)
		return true;
	/* As the kernel's own squashfs does: for administrators only. */
	return strncmp(name, "trusted.", 8) == 0 && request->header->uid != 0;
}

static void get_xattr(struct fuse_worker *worker, const struct fuse_request *request)
{
	const struct fuse_getxattr_in *in = request->body;
	const char *name = (const char *)(in + 1);
	struct sqfs_inode inode;
	ssize_t n = SQFS_ENOENT;

	if (!memchr(name, 0, request->body_size - sizeof *in)) {
		fuse_answer(worker, request, EINVAL, NULL, 0);
		return;
	}
	if (worker->server->fs->super.xattr_table == SQFS_NO_TABLE) {
		/* Not asked again, which spares every exec the question for capabilities. */
		fuse_answer(worker, request, ENOSYS, NULL, 0);
		return;
	}
	size_t size = in->size < FUSE_REPLY_MAX ? in->size : FUSE_REPLY_MAX;
	int error = fuse_read_node(worker, request->header->nodeid, &inode);
	if (!error && !hidden(worker, request, name))
		n = sqfs_getxattr(worker->reader, &inode, name, worker->reply, size);
	if (!error && n < 0)
		error = n == SQFS_ENOENT ? ENODATA : fuse_errno(worker, (int)n);

	struct fuse_getxattr_out out = { .size = n < 0 ? 0 : (uint32_t)n };
	if (in->size == 0)
		fuse_answer(worker, request, error, &out, sizeof out);
	else
		fuse_answer(worker, request, error, worker->reply, (size_t)n);
}

static size_t drop_hidden(const struct fuse_worker *worker, const struct fuse_request *request,
			  char *list, size_t size)
{
	size_t kept = 0;

	for (size_t at = 0; at < size;) {
		size_t length = strlen(list + at) + 1;
		if (!hidden(worker, request, list + at)) {
			memmove(list + kept, list + at, length);
			kept += length;
		}
		at += length;
	}
	return kept;
}

static void list_xattr(struct fuse_worker *worker, const struct fuse_request *request)
{
	const struct fuse_getxattr_in *in = request->body;
	struct fuse_getxattr_out out = { 0 };
	struct sqfs_inode inode;
	size_t size = 0;

	int error = fuse_read_node(worker, request->header->nodeid, &inode);
	if (!error) {
		ssize_t n = sqfs_listxattr(worker->reader, &inode, (char *)worker->reply,
					   XATTR_LIST_MAX);
		error = n < 0 ? fuse_errno(worker, (int)n) : 0;
		if (n > 0)
			size = drop_hidden(worker, request, (char *)worker->reply, (size_t)n);
	}
	if (!error && in->size && in->size < size)
		error = ERANGE;
	out.size = (uint32_t)size;
	if (in->size == 0)
		fuse_answer(worker, request, error, &out, sizeof out);
	else
		fuse_answer(worker, request, error, worker->reply, size);
}

/* Bytes of a request's structure; what follows it is checked where it is read. */
static size_t least_body(uint32_t opcode)
{
	switch (opcode) {
	case FUSE_READ:
	case FUSE_READDIR:
	case FUSE_READDIRPLUS:
		return sizeof(struct fuse_read_in);
	case FUSE_GETXATTR:
	case FUSE_LISTXATTR:
		return sizeof(struct fuse_getxattr_in);
	default:
		return 0;
	}
}

void fuse_operate(struct fuse_worker *worker, const struct fuse_request *request)
{
	if (request->body_size < least_body(request->header->opcode)) {
		fuse_answer(worker, request, EINVAL, NULL, 0);
		return;
	}
	switch (request->header->opcode) {
	case FUSE_LOOKUP:
		lookup(worker, request);
		break;
	case FUSE_GETATTR:
		get_attr(worker, request);
		break;
	case FUSE_READLINK:
		read_link(worker, request);
		break;
	case FUSE_OPEN:
		open_node(worker, request, false);
		break;
	case FUSE_OPENDIR:
		open_node(worker, request, true);
		break;
	case FUSE_READ:
		fuse_read_file(worker, request);
		break;
	case FUSE_READDIR:
		fuse_read_directory(worker, request, false);
		break;
	case FUSE_READDIRPLUS:
		fuse_read_directory(worker, request, true);
		break;
	case FUSE_STATFS:
		stat_fs(worker, request);
		break;
	case FUSE_GETXATTR:
		get_xattr(worker, request);
		break;
	case FUSE_LISTXATTR:
		list_xattr(worker, request);
		break;
	case FUSE_RELEASE:
	case FUSE_RELEASEDIR:
	case FUSE_DESTROY:
		fuse_answer(worker, request, 0, NULL, 0);
		break;
	default: /* the kernel remembers and does without, as with FLUSH at every close */
		fuse_answer(worker, request, ENOSYS, NULL, 0);
	}
}
