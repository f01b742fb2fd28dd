/* Who somebody is, by the texts of an /etc/passwd and an /etc/group, as the app sees them. */
#ifndef LIBC_ACCOUNTS_H
#define LIBC_ACCOUNTS_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/fail.h"

#define ACCOUNT_GROUPS_MAX 64

struct account {
	uid_t uid;
	gid_t gid;
	gid_t groups[ACCOUNT_GROUPS_MAX]; /* the supplementary ones */
	size_t group_count;
	char name[64]; /* "" where there is none */
	char home[256]; /* "/" where they say nothing */
};

/*
 * Finds `wanted`, NAME or UID, or either with :GROUP or :GID. `passwd` and `group` are the texts of the
 * files. A number need not be in them, and is of group 0 then, as everywhere.
 */
int account_find(struct account *user, const char *wanted, const char *passwd, const char *group,
		 struct failure *failure);

#endif
