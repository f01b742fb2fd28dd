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

#endif
