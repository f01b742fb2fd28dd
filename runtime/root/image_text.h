/* Small files of the image as the app will see them, before anything is mounted. */
#ifndef ROOT_IMAGE_TEXT_H
#define ROOT_IMAGE_TEXT_H

#include "bundle/bundle.h"

/*
 * The text of `path`, which is absolute: from the directory `upper` where that has it as a regular file,
 * else from the image. "" where neither has it. To be freed. NULL and a failure: it cannot be read, is larger than
 * 64 MiB, or there is no memory.
 */
char *image_text(const struct bundle *bundle, int upper, const char *path, struct failure *failure);

#endif
