/* Patterns of file names, as fnmatch(3) has them, without the tables of characters it brings. */
#ifndef BASE_MATCH_H
#define BASE_MATCH_H

#include <stdbool.h>

/*
 * Whether `pattern` matches `path` or a directory above it: FNM_PATHNAME | FNM_LEADING_DIR. "*",
 * "?" and "[...]" do not match a slash; "\" takes away the meaning of what follows it. Bytes are
 * compared; a character of UTF-8 counts as one for "?". The effort is bounded by the product of
 * the lengths.
 */
bool path_matches(const char *pattern, const char *path);

#endif
