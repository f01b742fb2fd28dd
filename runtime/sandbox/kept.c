#include "sandbox/kept.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/owned.h"
#include "kernel/trees.h"

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
	       ((!all_writable && grant->rights & GRANT_WRITE && !(grant->rights & GRANT_DEVICE)) ||
		masks_hide(masks, grant->path));
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
		if (comes_with(grants, index, i) &&
		    is_put_back(masks, &grants->list[i], all_writable))
			return true;
	return false;
}

static bool is_inner(const struct masks *masks, const struct grants *grants,
		     const struct grant *grant, bool all_writable)
{
	for (size_t i = 0; i < grants->count; i++)
		if (strcmp(grant->path, grants->list[i].path) != 0 &&
		    grant_is_in(grant->path, grants->list[i].path) &&
		    is_put_back(masks, &grants->list[i], all_writable))
			return true;
	return false;
}

static bool is_directory(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISDIR(st.st_mode);
}

static int copy(struct kept *kept, const struct grant *grant, struct failure *failure)
{
	int place = grant->place;

	if (place < 0 && !kept->hidden)
		place = tree_place(grant->path);
	kept->path = grant->path;
	kept->tree = place >= 0	  ? tree_open_at(place) :
		     kept->hidden ? tree_open(AT_FDCWD, grant->path) :
				    -1;
	kept->place = kept->hidden ? -1 : place;
	if (kept->tree < 0 || (!is_changed(grant) && tree_read_only(kept->tree) < 0))
		return fail_errno(failure, FUSELAGE_E_SANDBOX, "%.600s cannot be kept",
				  grant->path);
	kept->directory = kept->hidden && is_directory(kept->tree);
	return 0;
}

static int compare(const void *a, const void *b)
{
	return strcmp(((const struct kept *)a)->path, ((const struct kept *)b)->path);
}

/* What is in others comes behind them. */
int kept_copy(struct kept_list *kept, const struct masks *masks, const struct grants *grants,
	      struct failure *failure)
{
	kept->count = 0;
	kept->all_writable = is_all_writable(grants);
	kept->list = calloc(grants->count + 1, sizeof *kept->list);
	if (!kept->list)
		return fail(failure, FUSELAGE_E_OUT_OF_MEMORY, "what is kept");
	for (size_t i = 0; i < grants->count; i++) {
		const struct grant *grant = &grants->list[i];
		if (!is_put_back(masks, grant, kept->all_writable) ||
		    is_in_other(masks, grants, i, kept->all_writable))
			continue;
		struct kept *one = &kept->list[kept->count++];
		one->hidden = masks_hide(masks, grant->path);
		if (copy(one, grant, failure) < 0)
			return -1;
		one->inner = is_inner(masks, grants, grant, kept->all_writable);
	}
	qsort(kept->list, kept->count, sizeof *kept->list, compare);
	return 0;
}

int kept_copy_again(struct kept_list *kept, const struct masks *masks, struct grants *grants,
		    struct failure *failure)
{
	for (size_t i = 0; i < kept->count; i++)
		close(kept->list[i].tree);
	for (size_t i = 0; i < grants->count; i++) {
		OWNED_FD place = steal_fd(&grants->list[i].place);
	}
	free(kept->list);
	return kept_copy(kept, masks, grants, failure);
}

static void make_place(const struct kept *kept)
{
	masks_make_parents(kept->path, kept->hidden);
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

int kept_put_back(const struct kept *kept, struct failure *failure)
{
	if (put_in_place(kept) == 0)
		return 0;
	return fail_errno(failure, FUSELAGE_E_SANDBOX, "%.600s cannot be kept", kept->path);
}

int kept_put_back_all(const struct kept_list *kept, bool hidden, struct failure *failure)
{
	for (size_t i = 0; i < kept->count; i++)
		if ((kept->list[i].hidden > 0) == hidden &&
		    kept_put_back(&kept->list[i], failure) < 0)
			return -1;
	return 0;
}
