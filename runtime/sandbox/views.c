#include "sandbox/views.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/owned.h"
#include "generated/names.h"
#include "kernel/trees.h"
#include "sandbox/bus.h"
#include "sandbox/shield.h"
#include "sandbox/terminals.h"

#define X11_SOCKETS "/tmp/.X11-unix"
#define RUN "/run"

struct mask {
	const char *path;
	mode_t mode;
	bool nested; /* in another one: a directory there, and no mount */
	int tree; /* the private directory before it is in place, or -1 */
};

#define MASKS_MAX 10

struct masks {
	struct mask list[MASKS_MAX];
	size_t count;
};

/* What is kept: a copy of what is mounted there, to be put back. */
struct kept {
	const char *path;
	int tree;
	int place; /* where nothing private hides it: what was copied, to be covered; else -1 */
	bool inner; /* in another one, which is read-only and shows it when it is put back */
	bool directory;
};

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

static void add_mask(struct masks *masks, const struct grants *grants, const char *path,
		     mode_t mode)
{
	struct mask mask = { path, mode, false, -1 };
	struct stat st;

	/* One that is a link leads into another, or is not where programs meet. */
	if (!path || !path[1] || lstat(path, &st) < 0 || !S_ISDIR(st.st_mode) ||
	    is_open(grants, path))
		return;
	for (size_t i = 0; i < masks->count; i++) {
		if (strcmp(masks->list[i].path, path) == 0)
			return;
		mask.nested |= grant_is_in(path, masks->list[i].path);
	}
	masks->list[masks->count++] = mask;
}

/* Those of others come first: a home may be in /tmp, or in /run. */
static void find_masks(struct masks *masks, const struct grants *grants)
{
	add_mask(masks, grants, "/tmp", 01777);
	add_mask(masks, grants, RUN, 0755);
	add_mask(masks, grants, "/var/tmp", 01777);
	add_mask(masks, grants, "/dev/shm", 01777);
	/* In a private one there are none. */
	if (masks->count == 0 || strcmp(masks->list[0].path, "/tmp") != 0)
		add_mask(masks, grants, X11_SOCKETS, 01777);
	if (geteuid() == 0) {
		add_mask(masks, grants, "/home", 0755);
		add_mask(masks, grants, "/root", 0700);
	}
	add_mask(masks, grants, grants->home, 0700);
	add_mask(masks, grants, grants->runtime, 0700);
}

static bool is_hidden(const struct masks *masks, const char *path)
{
	for (size_t i = 0; i < masks->count; i++)
		if (grant_is_in(path, masks->list[i].path))
			return true;
	return false;
}

/* Whether a rule opens the machine as a whole: then nothing of it is made read-only. */
static bool is_all_writable(const struct grants *grants)
{
	for (size_t i = 0; i < grants->count; i++)
		if (grants->list[i].kept && grants->list[i].rights & GRANT_WRITE &&
		    !grants->list[i].path[1])
			return true;
	return false;
}

/* Nodes of devices and sockets can be used where the file system is read-only. */
static bool is_put_back(const struct masks *masks, const struct grant *grant, bool all_writable)
{
	return grant->kept &&
	       (is_hidden(masks, grant->path) ||
		(!all_writable && grant->rights & GRANT_WRITE && !(grant->rights & GRANT_DEVICE)));
}

/*
 * Whether something of it is changed, by the app or, where it has no rights, by the start itself. What is not is mounted
 * read-only: its mount alone keeps names, modes, owners and times, and of a private directory, which may be written to,
 * Landlock gives the rights to all that is put back below.
 */
static bool is_changed(const struct grant *grant)
{
	return grant->rights & GRANT_WRITE || !grant->rights;
}

/* Whether it comes with another one that is put back. In a read-only one it has a mount of its own if it is not. */
static bool comes_with(const struct grants *grants, size_t index, size_t other)
{
	const struct grant *grant = &grants->list[index], *around = &grants->list[other];

	if (index == other || !grant_is_in(grant->path, around->path))
		return false;
	if (is_changed(grant) != is_changed(around))
		return is_changed(around);
	return other < index || strcmp(around->path, grant->path) != 0;
}

static bool is_in_other(const struct masks *masks, const struct grants *grants, size_t index,
			bool all_writable)
{
	for (size_t i = 0; i < grants->count; i++)
		if (is_put_back(masks, &grants->list[i], all_writable) &&
		    comes_with(grants, index, i))
			return true;
	return false;
}

static bool is_inner(const struct masks *masks, const struct grants *grants,
		     const struct grant *grant, bool all_writable)
{
	for (size_t i = 0; i < grants->count; i++)
		if (is_put_back(masks, &grants->list[i], all_writable) &&
		    strcmp(grant->path, grants->list[i].path) != 0 &&
		    grant_is_in(grant->path, grants->list[i].path))
			return true;
	return false;
}

static int keep(struct kept *kept, const struct grant *grant, bool hidden, struct failure *failure)
{
	struct stat st;

	*kept = (struct kept){ .path = grant->path, .tree = -1, .place = -1 };
	if (!hidden)
		kept->place = tree_place(grant->path);
	kept->tree = hidden	      ? tree_open(AT_FDCWD, grant->path) :
		     kept->place >= 0 ? tree_open_at(kept->place) :
					-1;
	if (kept->tree < 0 || fstat(kept->tree, &st) < 0 ||
	    (!is_changed(grant) && tree_read_only(kept->tree) < 0))
		return fail_errno(failure, FUSELAGE_E_SANDBOX, "%.600s cannot be kept",
				  grant->path);
	kept->directory = S_ISDIR(st.st_mode);
	return 0;
}

/* Every directory of a path, in memory, where nobody has put a link. */
static void make_parents(const char *path)
{
	char text[PATH_MAX];

	snprintf(text, sizeof text, "%s", path);
	for (char *slash = strchr(text + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = 0;
		mkdir(text, 0755);
		*slash = '/';
	}
}

static void make_place(const struct kept *kept)
{
	make_parents(kept->path);
	if (kept->directory) {
		mkdir(kept->path, 0755);
	} else {
		OWNED_FD file = open(kept->path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	}
}

/* The very file that was copied, whoever puts a link on the way to it. */
static int cover_inner(const struct kept *kept)
{
	OWNED_FD place = tree_place(kept->path);
	struct stat there, copied;

	if (place < 0 || fstat(place, &there) < 0 || fstat(kept->tree, &copied) < 0)
		return -1;
	if (there.st_dev == copied.st_dev && there.st_ino == copied.st_ino)
		return tree_cover(kept->tree, place);
	errno = ESTALE;
	return -1;
}

static int put_in_place(const struct kept *kept)
{
	if (kept->place >= 0)
		return tree_cover(kept->tree, kept->place);
	if (kept->inner)
		return cover_inner(kept);
	make_place(kept);
	return tree_move(kept->tree, kept->path);
}

static int put_back(const struct kept *kept, struct failure *failure)
{
	if (put_in_place(kept) == 0)
		return 0;
	return fail_errno(failure, FUSELAGE_E_SANDBOX, "%.600s cannot be kept", kept->path);
}

/* In `base`, a directory in memory: one for each, open as a mount that can be moved. */
static int open_private(struct masks *masks, const char *base, struct failure *failure)
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

/*
 * One file system in memory for all of them, since making and ending one costs as much as five mounts: that of the
 * start, or where the start stands on the host one that is mounted on the first of them, until its directory is.
 */
static int mount_memory(struct masks *masks, struct failure *failure)
{
	const char *base = masks->list[0].path;

	return mount("fuselage", base, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755") < 0 ?
		       refuse(base, failure) :
		       open_private(masks, base, failure);
}

static int cover_one(const struct mask *mask)
{
	if (!mask->nested)
		return tree_move(mask->tree, mask->path);
	make_parents(mask->path);
	return mkdir(mask->path, mask->mode);
}

/* What is in others comes behind them. */
static int cover(const struct masks *masks, struct failure *failure)
{
	for (size_t i = 0; i < masks->count; i++)
		if (cover_one(&masks->list[i]) < 0)
			return refuse(masks->list[i].path, failure);
	return 0;
}

static int compare(const void *a, const void *b)
{
	return strcmp(((const struct kept *)a)->path, ((const struct kept *)b)->path);
}

/* What is in others comes behind them. */
static int keep_all(struct kept *kept, size_t *count, const struct masks *masks,
		    const struct grants *grants, bool all_writable, struct failure *failure)
{
	*count = 0;
	for (size_t i = 0; i < grants->count; i++) {
		const struct grant *grant = &grants->list[i];
		if (!is_put_back(masks, grant, all_writable) ||
		    is_in_other(masks, grants, i, all_writable))
			continue;
		struct kept *next = &kept[(*count)++];
		if (keep(next, grant, is_hidden(masks, grant->path), failure) < 0)
			return -1;
		next->inner = is_inner(masks, grants, grant, all_writable);
	}
	qsort(kept, *count, sizeof *kept, compare);
	return 0;
}

static void drop_all(const struct kept *kept, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		close_owned_fd(&kept[i].tree);
		close_owned_fd(&kept[i].place);
	}
}

/*
 * Makes read-only what no rule lets the app change: Landlock has no right for modes, owners, times and attributes. Where
 * a process of the start still writes to a file, mounts of another namespace have nobody who does. A kernel that cannot
 * (before 5.12) has no Landlock either, so strict does not get here.
 */
static int protect(struct kept *kept, size_t *count, const struct masks *masks,
		   const struct grants *grants, struct failure *failure)
{
	if (tree_read_only_all() == 0 || errno == ENOSYS)
		return 0;
	if (errno == EBUSY) {
		drop_all(kept, *count);
		if (unshare(CLONE_NEWNS) == 0 &&
		    keep_all(kept, count, masks, grants, false, failure) == 0 &&
		    tree_read_only_all() == 0)
			return 0;
	}
	return fail_errno(failure, FUSELAGE_E_SANDBOX, "the machine's files cannot be read-only");
}

/*
 * All that hides the machine's directories. Those in memory of the start are opened before the machine is read-only,
 * of which that memory is a part.
 */
static int hide(struct masks *masks, struct kept *kept, size_t *count, const struct grants *grants,
		const char *memory, bool all_writable, struct failure *failure)
{
	return (memory && open_private(masks, memory, failure) < 0) ||
			       (!all_writable &&
				protect(kept, count, masks, grants, failure) < 0) ||
			       (!memory && masks->count && mount_memory(masks, failure) < 0) ||
			       cover(masks, failure) < 0 ?
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
	const struct kept kept = { .path = path, .tree = grants->bus, .place = -1 };
	if (!is_hidden(masks, path) && access(path, F_OK) < 0)
		return fail(failure, FUSELAGE_E_SANDBOX, "%.600s: no place for the bus", path);
	if (put_back(&kept, failure) < 0)
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

/* Where others have a directory each, only one's own is for the app to use. */
static bool is_usable(const struct mask *mask)
{
	return strcmp(mask->path, RUN) != 0 && strcmp(mask->path, "/home") != 0;
}

static int add_private(struct grants *grants, const struct masks *masks, unsigned rights,
		       struct failure *failure)
{
	for (size_t i = 0; i < masks->count; i++) {
		bool covered = false;
		for (size_t j = 0; j < i; j++)
			covered |= is_usable(&masks->list[j]) &&
				   grant_is_in(masks->list[i].path, masks->list[j].path);
		if (is_usable(&masks->list[i]) && !covered &&
		    grants_add_real(grants, masks->list[i].path, rights, failure) < 0)
			return -1;
	}
	return 0;
}

int views_make(struct grants *grants, const char *memory, unsigned rights, struct failure *failure)
{
	bool all_writable = is_all_writable(grants);
	struct masks masks = { .count = 0 };
	size_t count = 0;

	find_masks(&masks, grants);
	OWNED struct kept *kept = calloc(grants->count + 1, sizeof *kept);
	if (!kept)
		return fail(failure, FUSELAGE_E_OUT_OF_MEMORY, "what is kept");
	int result = keep_all(kept, &count, &masks, grants, all_writable, failure);
	/* Modes are to be what they are, in fewer calls. */
	mode_t mask = umask(0);
	if (result == 0)
		result = hide(&masks, kept, &count, grants, memory, all_writable, failure);
	for (size_t i = 0; result == 0 && i < count; i++)
		result = put_back(&kept[i], failure);
	umask(mask);
	drop_all(kept, count);
	for (size_t i = 0; i < masks.count; i++)
		close_owned_fd(&masks.list[i].tree);
	if (result < 0 || place_bus(grants, &masks, failure) < 0 || shield(grants, failure) < 0 ||
	    terminals_make(grants, failure) < 0 || enter_cwd(grants, failure) < 0)
		return -1;
	return add_private(grants, &masks, rights, failure);
}
