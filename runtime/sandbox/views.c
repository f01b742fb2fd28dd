#include "sandbox/views.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernel/trees.h"
#include "sandbox/bus.h"
#include "sandbox/kept.h"
#include "sandbox/shield.h"
#include "sandbox/terminals.h"

/*
 * Makes read-only what no rule lets the app change: Landlock has no right for modes, owners, times and attributes. Where
 * a process of the start still writes to a file, mounts of another namespace have nobody who does. A kernel that cannot
 * (before 5.12) has no Landlock either, so strict does not get here.
 */
static int protect(struct kept_list *kept, const struct masks *masks, struct grants *grants,
		   struct failure *failure)
{
	if (tree_read_only_all() == 0 || errno == ENOSYS)
		return 0;
	if (errno == EBUSY && unshare(CLONE_NEWNS) == 0 &&
	    kept_copy_again(kept, masks, grants, failure) == 0 && tree_read_only_all() == 0)
		return 0;
	return fail_errno(failure, FUSELAGE_E_SANDBOX, "the machine's files cannot be read-only");
}

/*
 * Private directories in memory of the start are opened before the machine is read-only, of which that memory is a part.
 * One may be in a directory that is kept (/tmp/.X11-unix in /tmp), and what is kept in a private one.
 */
static int arrange(struct masks *masks, struct kept_list *kept, struct grants *grants,
		   const char *memory, struct failure *failure)
{
	return (memory && masks_open(masks, memory, failure) < 0) ||
			       (!kept->all_writable && protect(kept, masks, grants, failure) < 0) ||
			       kept_put_back_all(kept, false, failure) < 0 ||
			       (!memory && masks->count && masks_mount(masks, failure) < 0) ||
			       masks_cover(masks, failure) < 0 ||
			       kept_put_back_all(kept, true, failure) < 0 ?
		       -1 :
		       0;
}

/* Where the process stands is the directory below the private one: only a new way to it leads out of there. */
static int enter_cwd(const struct grants *grants, struct failure *failure)
{
	struct stat before, now;

	if (grants->cwd && stat(".", &before) == 0 && stat(grants->cwd, &now) == 0 &&
	    before.st_dev == now.st_dev && before.st_ino == now.st_ino && chdir(grants->cwd) == 0)
		return 0;
	const char *other = grants->home && chdir(grants->home) == 0 ? grants->home : "/";
	if ((other[1] || chdir("/") == 0) && setenv("PWD", other, 1) == 0)
		return 0;
	return fail_errno(failure, FUSELAGE_E_SANDBOX, "directory to start in");
}

/*
 * In place of the bus, and on top of it where a rule lets the app see that: a rule for files opens no socket that one
 * of ipc names.
 */
static int place_bus(const struct grants *grants, const struct masks *masks,
		     struct failure *failure)
{
	char path[PATH_MAX];

	if (grants->bus < 0)
		return 0;
	bus_place(grants, path);
	const struct kept kept = {
		.path = path, .tree = grants->bus, .hidden = masks_hide(masks, path), .place = -1
	};
	if (!kept.hidden && access(path, F_OK) < 0)
		return fail(failure, FUSELAGE_E_SANDBOX, "%.600s: no place for the bus", path);
	if (kept_put_back(&kept, failure) < 0)
		return -1;
	const char *real = grants->bus_real;
	if (*real && strcmp(real, path) != 0 && access(real, F_OK) == 0 &&
	    tree_move(grants->bus_cover, real) < 0)
		return fail_errno(failure, FUSELAGE_E_SANDBOX, "%.600s cannot be covered", real);
	close(grants->bus);
	close(grants->bus_cover);
	unlink(grants->bus_socket);
	return 0;
}

int views_make(struct grants *grants, const char *memory, unsigned rights, struct failure *failure)
{
	struct masks masks = { .count = 0 };
	struct kept_list kept;

	masks_find(&masks, grants);
	if (kept_copy(&kept, &masks, grants, failure) < 0)
		return -1;
	/* Modes are to be what they are, in fewer calls. */
	mode_t mask = umask(0);
	int result = arrange(&masks, &kept, grants, memory, failure);
	umask(mask);
	free(kept.list);
	if (result < 0 || place_bus(grants, &masks, failure) < 0 || shield(grants, failure) < 0 ||
	    terminals_make(grants, failure) < 0 || enter_cwd(grants, failure) < 0)
		return -1;
	return masks_grant(&masks, grants, rights, failure);
}
