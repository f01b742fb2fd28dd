/* Makes a squashfs image of a zip archive. */
#ifndef ZIP_ZIP_SQUASHFS_H
#define ZIP_ZIP_SQUASHFS_H

#include <sys/types.h>

#include "zip/zip.h"

/*
 * Writes a squashfs 4.0 image to `out_fd`, an empty file: the tree of the archive, all of it owned
 * by `uid` and `gid`. Nothing is compressed, so that the runtime carries no encoder and a mount
 * costs no decoder; blocks of zeros are holes. The same archive and owner make the same bytes.
 * Memory grows with the number of entries and blocks (about 200 bytes an entry), not with what is
 * in them. The file's length is a multiple of 4096; it is not synced.
 *
 * Failures are those of zip_extract, with E_EXTRACT_FAILED for the image's file, and
 * E_ARCHIVE_UNSUPPORTED when a table would pass the 4 GiB that squashfs can address.
 */
int zip_to_squashfs(struct zip *zip, int out_fd, uid_t uid, gid_t gid, struct failure *failure);

#endif
