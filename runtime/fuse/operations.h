/* The requests that a read-only file system answers. */
#ifndef FUSE_OPERATIONS_H
#define FUSE_OPERATIONS_H

#include "fuse/session.h"

/* Answers every request but INIT and those that want no answer. */
void fuse_operate(struct fuse_worker *worker, const struct fuse_request *request);

/* Shared by the files of operations. */

#define FUSE_FOR_EVER UINT64_MAX

/* The errno of the reader's last failure, which goes to the log when the image is at fault. */
int fuse_errno(struct fuse_worker *worker, int error);
/* The same for the contents of a file, which the log names; the worker's reply is used up. */
int fuse_file_errno(struct fuse_worker *worker, const struct sqfs_inode *inode, int error);
/* Returns 0 or an errno. */
int fuse_read_node(struct fuse_worker *worker, uint64_t node, struct sqfs_inode *inode);
void fuse_fill_entry(const struct fuse_server *server, const struct sqfs_inode *inode,
		     struct fuse_entry_out *out);

/* These have a struct fuse_read_in as their body. */
void fuse_read_file(struct fuse_worker *worker, const struct fuse_request *request);
void fuse_read_directory(struct fuse_worker *worker, const struct fuse_request *request, bool plus);

#endif
