/*
 * What /etc/fuselage.conf says. It counts in setuid-root mode only: root may do as it likes, and
 * other users have no rights of root's to be limited. One setting a line, # begins a comment:
 *
 *   loop = auto | never              kernel mounts of the caller's images
 *   /run/fuselage/NAME = FILE UID    this file, which user UID owns and only UID and root can change
 *   /run/fuselage/NAME = FILE SHA256 any file with these contents; FILE is where it should be
 */
#ifndef POLICY_H
#define POLICY_H

#include <sys/stat.h>

#include "archive/archive.h"

struct policy {
	bool loop; /* the kernel may mount images of the caller's */
};

/*
 * Reads it and marks the archives that may appear at their fixed path (archive->allowed). One that
 * is allowed by its contents is copied to memory, since a writer of the file may have it open. Fails
 * when the file is there but is not root's alone to write, or says what is not understood.
 */
int policy_read(struct policy *policy, struct archive *archives, size_t count,
		struct failure *failure);

/*
 * Reads such a file as a text, in place of which an empty one will do: `path`, of which `dir` has the last component
 * where it is no AT_FDCWD. It must be root's or the owner's, and nobody else may write to it.
 */
int policy_text(int dir, const char *path, uid_t owner, enum fuselage_code code, char *text,
		size_t size, struct failure *failure);

/* The next line that says something, without its comment and blanks at both ends; NULL at the end. Changes the text. */
char *policy_line(char **rest);

/* Without blanks at both ends. Changes the text. */
char *policy_trim(char *text);

/*
 * Whether the file of the path is this one, and stays it: no folder on the way is one that others than root and the
 * file's owner can change. Changes the text, an absolute path.
 */
bool policy_is_named(char *path, const struct stat *file);

#endif
