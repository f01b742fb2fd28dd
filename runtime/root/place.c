#include "root/place.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/mount.h> /* not with sys/mount.h: both define the same names */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/owned.h"
#include "kernel/open_within.h"
#include "kernel/trees.h"

/* A place in one mount: the descriptor of its root, and a path below that. */
struct spot {
	int root;
	bool image; /* its links are looked up with the image as root; of others they stay beneath */
	const char *path; /* without a slash at its start; "" is the root itself */
	/* 0, or the tmpfs of this start: then other mounts are looked into, and directories made in these two. */
	dev_t memory;
};

static int look(const struct spot *spot, const char *path, int flags)
{
	struct open_how how = {
		.flags = (unsigned)flags | O_PATH | O_CLOEXEC,
		.resolve = (spot->memory ? 0 : RESOLVE_NO_XDEV) | RESOLVE_NO_MAGICLINKS |
			   (spot->image ? RESOLVE_IN_ROOT : RESOLVE_BENEATH),
	};

	return open_within(spot->root, *path ? path : ".", how);
}

/* Not what is the machine's: nothing is made there that only an image asks for. */
static bool may_make_in(const struct spot *spot, int directory)
{
	struct stat st, image;

	if (!spot->memory)
		return true;
	if (fstat(directory, &st) < 0 || fstat(spot->root, &image) < 0)
		return false;
	if (st.st_dev == image.st_dev || st.st_dev == spot->memory)
		return true;
	errno = ENOENT;
	return false;
}

/* `path` is cut into its components: a path may have thousands, and each of them a frame of the stack. */
static int make_components(const struct spot *spot, char *path)
{
	for (size_t end = strlen(path); end > 0 && path[end - 1] == '/';)
		path[--end] = 0;
	int fd = look(spot, path, O_DIRECTORY);

	if (fd >= 0 || errno != ENOENT || !*path)
		return fd;
	char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	if (slash)
		*slash = 0;
	OWNED_FD above = make_components(spot, slash ? path : path + strlen(path));
	/* EEXIST: a link that leads nowhere */
	if (above < 0 || !may_make_in(spot, above) || mkdirat(above, name, 0755) < 0)
		return -1;
	return openat(above, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* The first `length` bytes of `path`, a directory, which is made when it is missing. Returns -1 and errno. */
static int make_directory(const struct spot *spot, const char *path, size_t length)
{
	char components[PATH_MAX];

	if (length >= sizeof components) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(components, path, length);
	components[length] = 0;
	return make_components(spot, components);
}

/* The directory that `path` is in, and its last component. */
static int make_parent(const struct spot *spot, const char **name)
{
	const char *slash = strrchr(spot->path, '/');

	*name = slash ? slash + 1 : spot->path;
	return make_directory(spot, spot->path, slash ? (size_t)(slash - spot->path) : 0);
}

static int make_file(int parent, const char *name)
{
	OWNED_FD fd = openat(parent, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644);

	return fd < 0 ? -1 : 0;
}

static int move(int tree, int to, const char *name)
{
	unsigned flags = MOVE_MOUNT_F_EMPTY_PATH | (*name ? 0 : MOVE_MOUNT_T_EMPTY_PATH);

	return (int)syscall(SYS_move_mount, tree, "", to, name, flags);
}

/*
 * Without following what is there. A mount on top of a link leaves it, and what it leads to, alone. A
 * kernel that refuses that gets an empty file in place of the link, which is in the writable layer.
 */
static int place_system(const struct place *place, const struct spot *spot)
{
	const char *name;
	OWNED_FD parent = make_parent(spot, &name);
	struct stat st;

	if (parent < 0)
		return -1;
	bool exists = fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
	if (exists && S_ISDIR(st.st_mode) != place->directory) {
		if (unlinkat(parent, name, S_ISDIR(st.st_mode) ? AT_REMOVEDIR : 0) < 0)
			return -1;
		exists = false;
	}
	if (!exists &&
	    (place->directory ? mkdirat(parent, name, 0755) : make_file(parent, name)) < 0)
		return -1;
	if (move(place->tree, parent, name) == 0)
		return 0;
	if (!exists || !S_ISLNK(st.st_mode) || unlinkat(parent, name, 0) < 0 ||
	    make_file(parent, name) < 0)
		return -1;
	return move(place->tree, parent, name);
}

static int place_given(const struct place *place, const struct spot *spot)
{
	const char *name;

	if (place->directory) {
		OWNED_FD there = make_directory(spot, spot->path, strlen(spot->path));
		return there < 0 ? -1 : move(place->tree, there, "");
	}
	OWNED_FD there = look(spot, spot->path, 0);
	if (there >= 0)
		return move(place->tree, there, "");
	OWNED_FD parent = errno == ENOENT ? make_parent(spot, &name) : -1;
	return parent < 0 || make_file(parent, name) < 0 ? -1 : move(place->tree, parent, name);
}

/* The mount that a path is in: of the last one placed whose path it has, else of the image. */
static struct spot find_spot(const struct place *places, size_t count, int image)
{
	const char *path = places[count].path;
	struct spot spot = { image, true, path + 1, 0 };

	for (size_t i = 0; i < count; i++) {
		const struct place *place = &places[i];
		size_t length = strlen(place->path);
		if (!place->placed || !place->directory ||
		    strncmp(path, place->path, length) != 0 ||
		    (path[length] && path[length] != '/'))
			continue;
		spot = (struct spot){ place->tree, false, path + length + (path[length] == '/'),
				      0 };
	}
	return spot;
}

static int refuse(const struct place *place, struct failure *failure)
{
	static const struct {
		int error;
		const char *why;
	} reasons[] = {
		{ EXDEV, " (a link or mount there leads out of the mount that it is in)" },
		{ EEXIST, " (a link there leads nowhere)" },
		{ ELOOP, " (links there lead in a circle, or into /proc)" },
		{ ENOTEMPTY, " (a directory with files is where a file has to be)" },
		{ ENOSYS, " (Linux before 5.12)" },
		{ EROFS,
		  " (the image has no place for it, and without overlayfs none can be made)" },
	};
	const char *why = "";

	for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
		if (errno == reasons[i].error)
			why = reasons[i].why;
	return fail_errno(failure, FUSELAGE_E_ROOT_SOURCE, "%.600s in the image%s", place->path,
			  why);
}

int place_all(struct place *places, size_t count, struct failure *failure)
{
	OWNED_FD image = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (image < 0)
		return fail_errno(failure, FUSELAGE_E_ROOT_SOURCE, "/ of the image");
	for (size_t i = 0; i < count; i++) {
		struct place *place = &places[i];
		if (place->tree < 0)
			continue;
		struct spot spot = find_spot(places, i, image);
		/* At the very place of an earlier one: on top of it. */
		bool on_top = !*spot.path;
		if ((place->read_only && tree_read_only(place->tree) < 0) ||
		    (place->no_exec && tree_no_exec(place->tree) < 0) ||
		    (on_top			 ? move(place->tree, spot.root, "") :
		     place->kind == PLACE_SYSTEM ? place_system(place, &spot) :
						   place_given(place, &spot)) < 0) {
			if (errno == EROFS && place->optional)
				continue;
			return refuse(place, failure);
		}
		place->placed = true;
	}
	return 0;
}

int place_directory(const char *path, dev_t memory, struct failure *failure)
{
	OWNED_FD image = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	const struct place place = { .path = path };
	/* Across mounts: by now they are what the app has. */
	const struct spot spot = { image, true, path + strspn(path, "/"), memory };
	int fd = image < 0 ? -1 : make_directory(&spot, spot.path, strlen(spot.path));

	return fd < 0 ? refuse(&place, failure) : fd;
}
