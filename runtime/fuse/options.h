/* How an image is served, as FUSELAGE_FUSE says: words separated by commas. */
#ifndef FUSE_OPTIONS_H
#define FUSE_OPTIONS_H

#include <stddef.h>

#include "base/fail.h"

struct fuse_options {
	size_t cache_bytes; /* cache=SIZE: of decompressed file contents */
};

/* `text` may be NULL. Unknown words are errors, and so are sizes below 1 MiB or above 1 TiB. */
int fuse_options_parse(struct fuse_options *options, const char *text, struct failure *failure);

#endif
