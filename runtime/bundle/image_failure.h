/* Errors of the squashfs reader as failures of ours. */
#ifndef IMAGE_FAILURE_H
#define IMAGE_FAILURE_H

#include <stdbool.h>

#include "base/fail.h"

/*
 * Records what the reader says with `error`, SQFS_E*, and returns -1. `fault` is the place in the image
 * that is to blame, `file` holds the image, and `path` is what was read of it, or NULL.
 */
int fail_sqfs(struct failure *failure, int error, const char *fault, const char *file,
	      const char *path);

/* The image is at fault, so that whatever else is tried with it fails too. */
bool is_image_failure(const struct failure *failure);

#endif
