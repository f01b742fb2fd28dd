/* Who the app is, by the /etc/passwd and /etc/group that it will see. */
#ifndef ROOT_USERS_H
#define ROOT_USERS_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/fail.h"

#define USER_GROUPS_MAX 64

struct root_user {
	uid_t uid;
	gid_t gid;
	gid_t groups[USER_GROUPS_MAX]; /* the supplementary ones */
	size_t group_count;
	char name[64]; /* "" where the image has none */
	char home[256]; /* "/" where the image says nothing */
};

/*
 * Finds `wanted`, NAME or UID, or either with :GROUP or :GID. `passwd` and `group` are the texts of the
 * files. A number need not be in them, and is of group 0 then, as everywhere.
 */
int root_user_find(struct root_user *user, const char *wanted, const char *passwd,
		   const char *group, struct failure *failure);

#endif
