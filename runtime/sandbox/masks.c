#include "sandbox/masks.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/owned.h"
#include "kernel/trees.h"

#define X11_SOCKETS "/tmp/.X11-unix"
#define RUN "/run"

static int refuse(const char *path, struct failure *failure)
{
	return fail_errno(failure, FUSELAGE_E_SANDBOX, "private %.600s", path);
}

/* A rule for what is around it opens a directory, but not sockets of the machine's: these it has to name. */
static bool is_open(const struct grants *grants, const char *path)
{
	bool sockets = strcmp(path, RUN) == 0 || strcmp(path, X11_SOCKETS) == 0;

	for (size_t i = 0; i < grants->count; i++) {
		const struct grant *grant = &grants->list[i];
		if (grant->kept && grant->rights & GRANT_READ &&
		    (sockets ? strcmp(grant->path, path) == 0 : grant_is_in(path, grant->path)))
			return true;
	}
	return false;
}

static void add(struct masks *masks, const struct grants *grants, const char *path, mode_t mode)
{
	struct mask mask = { path, mode, false, -1 };
	struct stat st;

	/* One that is a link leads into another, or is not where programs meet. */
	if (!path || !path[1] || is_open(grants, path) || lstat(path, &st) < 0 ||
	    !S_ISDIR(st.st_mode))
		return;
	for (size_t i = 0; i < masks->count; i++) {
		if (strcmp(masks->list[i].path, path) == 0)
			return;
		mask.nested |= grant_is_in(path, masks->list[i].path);
	}
	masks->list[masks->count++] = mask;
}

/* Those of others come first: a home may be in /tmp, or in /run. */
void masks_find(struct masks *masks, const struct grants *grants)
{
	add(masks, grants, "/tmp", 01777);
	add(masks, grants, RUN, 0755);
	add(masks, grants, "/var/tmp", 01777);
	add(masks, grants, "/dev/shm", 01777);
	/* In a private one there are none. */
	if (masks->count == 0 || strcmp(masks->list[0].path, "/tmp") != 0)
		add(masks, grants, X11_SOCKETS, 01777);
	if (geteuid() == 0) {
		add(masks, grants, "/home", 0755);
		add(masks, grants, "/root", 0700);
	}
	add(masks, grants, grants->home, 0700);
	add(masks, grants, grants->runtime, 0700);
}

size_t masks_hide(const struct masks *masks, const char *path)
{
	for (size_t i = 0; i < masks->count; i++)
		if (!masks->list[i].nested && grant_is_in(path, masks->list[i].path))
			return strlen(masks->list[i].path);
	return 0;
}

void masks_make_parents(const char *path, size_t there)
{
	char text[PATH_MAX];

	snprintf(text, sizeof text, "%s", path);
	for (char *slash = text + there; *slash && (slash = strchr(slash + 1, '/'));) {
		*slash = 0;
		mkdir(text, 0755);
		*slash = '/';
	}
}

int masks_open(struct masks *masks, const char *base, struct failure *failure)
{
	char name[sizeof "private" + 3 * sizeof(size_t)];
	OWNED_FD place = (int)syscall(SYS_openat, AT_FDCWD, base,
				      O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	for (size_t i = 0; i < masks->count; i++) {
		struct mask *mask = &masks->list[i];
		if (mask->nested)
			continue;
		snprintf(name, sizeof name, "private%zu", i);
		if (place >= 0 && mkdirat(place, name, mask->mode) == 0)
			mask->tree = tree_open_alone(place, name);
		if (mask->tree < 0)
			return refuse(mask->path, failure);
	}
	return 0;
}

/* On the first of them, until its directory is there: making and ending one costs as much as five mounts. */
int masks_mount(struct masks *masks, struct failure *failure)
{
	const char *base = masks->list[0].path;

	return mount("fuselage", base, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755") < 0 ?
		       refuse(base, failure) :
		       masks_open(masks, base, failure);
}

static int cover(const struct masks *masks, const struct mask *mask)
{
	if (!mask->nested)
		return tree_move(mask->tree, mask->path);
	masks_make_parents(mask->path, masks_hide(masks, mask->path));
	return mkdir(mask->path, mask->mode);
}

/* What is in others comes behind them. */
int masks_cover(const struct masks *masks, struct failure *failure)
{
	for (size_t i = 0; i < masks->count; i++)
		if (cover(masks, &masks->list[i]) < 0)
			return refuse(masks->list[i].path, failure);
	return 0;
}

/* Where others have a directory each, only one's own is for the app to use. */
static bool is_usable(const struct mask *mask)
{
	return strcmp(mask->path, RUN) != 0 && strcmp(mask->path, "/home") != 0;
}

int masks_grant(struct masks *masks, struct grants *grants, unsigned rights,
		struct failure *failure)
{
	for (size_t i = 0; i < masks->count; i++) {
		struct mask *mask = &masks->list[i];
		bool covered = false;
		for (size_t j = 0; j < i; j++)
			covered |= is_usable(&masks->list[j]) &&
				   grant_is_in(mask->path, masks->list[j].path);
		if (is_usable(mask) && !covered &&
		    grants_add_open(grants, mask->path, steal_fd(&mask->tree), rights, failure) < 0)
			return -1;
	}
	return 0;
}
