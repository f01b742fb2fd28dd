/*
 * Reads zip files that come from anyone (APPNOTE.TXT 6.3.10): stored and
 * deflate, zip64, Unix modes and symlinks, names and times as several systems
 * write them (docs/format.md), and bytes before the archive. Only
 * the central directory is believed, and only where the local headers agree
 * with it.
 */
#ifndef ZIP_ZIP_H
#define ZIP_ZIP_H

#include <stdint.h>

#include "base/fail.h"

/* What the records of a zip file start with: of a file, of its entry in the directory, at the end. */
#define ZIP_LOCAL_MAGIC 0x04034b50u
#define ZIP_CENTRAL_MAGIC 0x02014b50u
#define ZIP_END_MAGIC 0x06054b50u

struct zip; /* opened: entries validated, sorted so that a directory precedes
               what is in it */

/*
 * Reads and checks the lists of the archive in the first `size` bytes of `fd`,
 * which is only read by position and stays the caller's. `file` is for messages
 * and must outlive the zip. Failures:
 *
 *   E_ARCHIVE_CORRUPT      no zip file, cut, or of fields that contradict each
 * other E_ARCHIVE_UNSAFE       a name that is absolute, has "", "." or ".." as
 * a component or is there twice; a path through a file or a symlink; entries
 * that share bytes E_ARCHIVE_UNSUPPORTED  encryption, other methods, several
 * disks, devices and the like, more than 2^24 entries, more than 256 levels
 *   E_OUT_OF_MEMORY
 */
int zip_open(int fd, uint64_t size, const char *file, struct zip **zip, struct failure *failure);
void zip_free(struct zip *zip);

/*
 * Extracts everything into the directory `dir_fd`, which must be empty and
 * private (0700): nothing is followed or overwritten. Symlinks are made when
 * all files are written, modes and times of directories are set last; the
 * directory itself keeps its own. Owners are not set. What was written before a
 * failure stays. Failures: those above, and E_EXTRACT_FAILED of the
 * destination.
 */
int zip_extract(struct zip *zip, int dir_fd, struct failure *failure);

#endif
