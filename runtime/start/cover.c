#include "start/cover.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/descriptors.h"
#include "base/owned.h"
#include "kernel/mount_point.h"

#define NEW_ROOT ".maps/root"
#define NEW_COVER ".maps/cover"
#define NEW_NAMES ".maps/names" /* the lower layer of an overlay */

/* A directory and what is put together in its place. */
struct covering {
	const struct cover *cover;
	int from; /* the directory, below what covers it */
	int to; /* what covers it */
	bool overlay; /* shows by itself what is only read */
	char entry[NAME_MAX + 1]; /* that is being bound, for the failure */
};

static int copy_symlink(const struct covering *covering, const char *name)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(covering->from, name, target, sizeof target - 1);

	if (n < 0)
		return -1;
	target[n] = 0;
	return symlinkat(target, covering->to, name);
}

/* What a mount is made on. */
static int make_point(const struct covering *covering, const char *name, bool directory)
{
	if (directory)
		return mkdirat(covering->to, name, 0755);
	int fd = openat(covering->to, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	return fd < 0 ? -1 : close(fd);
}

static int bind_entry(const struct covering *covering, const char *name, bool directory)
{
	char source[48 + NAME_MAX], target[48 + NAME_MAX];

	if (!covering->overlay && make_point(covering, name, directory) < 0)
		return -1;
	descriptor_link(source, sizeof source, covering->from, name);
	descriptor_link(target, sizeof target, covering->to, name);
	/* With all that is mounted below it. Flags of its mount, which may be locked, stay. */
	if (mount(source, target, NULL, MS_BIND | MS_REC, NULL) == 0)
		return 0;
	if (errno != ENOENT)
		return -1;
	/* gone since it was listed */
	return covering->overlay ? 0 : unlinkat(covering->to, name, directory ? AT_REMOVEDIR : 0);
}

#define MOUNT_ROOT 0x2000 /* STATX_ATTR_MOUNT_ROOT of linux/stat.h, Linux 5.8 */

/*
 * Of an overlay: whether the file that it shows will do. It cannot be written to, gives no rights, and
 * is not what has been mounted on it.
 */
static bool is_only_read(const struct covering *covering, const char *name)
{
	struct statx st;

	return syscall(SYS_faccessat, covering->from, name, W_OK) < 0 &&
	       syscall(SYS_statx, covering->from, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT,
		       STATX_MODE, &st) == 0 &&
	       !(st.stx_mode & (S_ISUID | S_ISGID)) &&
	       (st.stx_attributes_mask & ~st.stx_attributes & MOUNT_ROOT);
}

/* By the type that the directory has for it: what is mounted there may refuse to be looked at. */
static int take_entry(const struct covering *covering, const struct dirent *entry)
{
	const char *name = entry->d_name;
	unsigned char type = entry->d_type;
	struct stat st;

	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return 0;
	if (type == DT_UNKNOWN) {
		if (fstatat(covering->from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return errno == ENOENT ? 0 : -1;
		type = (unsigned char)(st.st_mode >> 12); /* IFTODT */
	}
	if (type == DT_LNK)
		return covering->overlay ? 0 : copy_symlink(covering, name);
	if (covering->overlay && type == DT_REG && is_only_read(covering, name))
		return 0;
	return bind_entry(covering, name, type == DT_DIR);
}

static int take_entries(struct covering *covering)
{
	int listed = openat(covering->from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = listed < 0 ? NULL : fdopendir(listed);
	int result = 0;

	if (!dir)
		return -1;
	while (result == 0) {
		errno = 0;
		struct dirent *entry = readdir(dir);
		if (!entry) {
			result = errno ? -1 : 0; /* a list that breaks off is no whole one */
			break;
		}
		snprintf(covering->entry, sizeof covering->entry, "%s", entry->d_name);
		result = take_entry(covering, entry);
	}
	int error = errno;
	closedir(dir);
	errno = error;
	return result;
}

static int make_names(const struct cover *cover, int directory)
{
	for (size_t i = 0; i < cover->count; i++) {
		char path[PATH_MAX];
		snprintf(path, sizeof path, "%s/", cover->names[i]);
		for (char *slash = path; (slash = strchr(slash, '/')); *slash++ = '/') {
			*slash = 0;
			if (mkdirat(directory, path, 0755) < 0 && errno != EEXIST)
				return -1;
		}
	}
	return 0;
}

static int add_directory(const struct cover *cover, const char *name)
{
	int result = procdir_add(cover->procdir, cover->identity, name, 0755);

	return result < 0 && errno == EEXIST ? 0 : result;
}

/* The directory is the upper one of its layers, so the merged one has its owner and mode. */
static int mount_overlay(struct covering *covering, unsigned number, const char *place)
{
	const struct cover *cover = covering->cover;
	char name[sizeof NEW_NAMES + 16], from[48], lower[48], options[128];
	struct statvfs st;

	snprintf(name, sizeof name, NEW_NAMES "%u", number);
	if (add_directory(cover, name) < 0)
		return -1;
	OWNED_FD names = openat(cover->procdir->fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (names < 0 || make_names(cover, names) < 0 || fstatvfs(covering->from, &st) < 0)
		return -1;
	descriptor_link(from, sizeof from, covering->from, ".");
	descriptor_link(lower, sizeof lower, names, ".");
	snprintf(options, sizeof options, "lowerdir=%s:%s", from, lower);
	const struct mount_call call = { "fuselage", "overlay",
					 MS_RDONLY | (st.f_flag & (ST_NOSUID | ST_NOEXEC)),
					 options };
	return mount_point_mount(cover->identity, place, &call);
}

static int mount_tmpfs(const struct covering *covering, const char *place)
{
	char options[32];
	struct stat st;

	if (fstat(covering->from, &st) < 0)
		return -1;
	snprintf(options, sizeof options, "mode=%04o", st.st_mode & 07777);
	return mount_point_mount(covering->cover->identity, place,
				 &(struct mount_call){ "fuselage", "tmpfs", 0, options });
}

/* All that the directory has, and the new folders, at `place`. */
static int fill(struct covering *covering, const char *place)
{
	const struct cover *cover = covering->cover;
	struct stat st;

	covering->to = open(place, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (covering->to < 0 || take_entries(covering) < 0)
		return -1;
	covering->entry[0] = 0;
	if (covering->overlay)
		return 0;
	if (make_names(cover, covering->to) < 0 || fstat(covering->from, &st) < 0)
		return -1;
	/* An owner whom this namespace does not know cannot be given; the caller is it then. */
	(void)!fchown(covering->to, st.st_uid, st.st_gid);
	return mount_point_read_only(cover->identity, place);
}

/*
 * What is put together lies in the start's own directories, whose names nobody else can change, and comes
 * to its place by the descriptor of the directory: whoever owns a folder on the way there could exchange it
 * meanwhile, and have entries made elsewhere. While it is put together it is not to be found by the binds
 * that it is made of, which may have the start's directories among them.
 *
 * In an overlay the kernel refuses, by EINVAL, whatever has mounts below that it may not part from it.
 */
static int cover_in_place(struct covering *covering, const char **where)
{
	static unsigned number;
	const struct cover *cover = covering->cover;
	char name[sizeof NEW_COVER + 16], place[PATH_MAX + sizeof name], target[48];

	snprintf(name, sizeof name, NEW_COVER "%u", ++number);
	snprintf(place, sizeof place, "%s/%s", cover->procdir->path, name);
	*where = "tmpfs";
	if (add_directory(cover, ".maps") < 0 || add_directory(cover, name) < 0)
		return -1;
	covering->overlay = mount_overlay(covering, number, place) == 0;
	if (!covering->overlay && mount_tmpfs(covering, place) < 0)
		return -1;
	descriptor_link(target, sizeof target, covering->from, ".");
	if (mount(NULL, place, NULL, MS_UNBINDABLE, NULL) == 0 && fill(covering, place) == 0 &&
	    mount(NULL, place, NULL, MS_PRIVATE, NULL) == 0 &&
	    mount(place, target, NULL, MS_MOVE, NULL) == 0)
		return 0;
	mount_point_unmount(cover->identity, place);
	return -1;
}

/* Of this process; whoever else is in the namespace is on its way out. */
static int change_root(const char *place)
{
	OWNED_FD cwd = open("/proc/self/cwd", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (chdir(place) < 0)
		return -1;
	long result = syscall(SYS_pivot_root, ".", ".");
	if (result == 0) /* the old one, which is on top of the new one now */
		result = umount2(".", MNT_DETACH);
	int error = errno;
	(void)!fchdir(cwd);
	errno = error;
	return (int)result;
}

/*
 * The root cannot be covered, so another one takes its place. While it is put together it is not to be
 * found by the binds that it is made of: the folder where it is made is among them.
 */
static int replace_root(struct covering *covering, const char **where)
{
	const struct cover *cover = covering->cover;
	char place[PATH_MAX + sizeof NEW_ROOT];

	snprintf(place, sizeof place, "%s/" NEW_ROOT, cover->procdir->path);
	*where = "tmpfs";
	if (add_directory(cover, ".maps") < 0 || add_directory(cover, NEW_ROOT) < 0 ||
	    mount_tmpfs(covering, place) < 0 || mount(NULL, place, NULL, MS_UNBINDABLE, NULL) < 0)
		return -1;
	if (fill(covering, place) == 0 && mount(NULL, place, NULL, MS_PRIVATE, NULL) == 0) {
		*where = "pivot_root";
		if (change_root(place) == 0)
			return 0;
	}
	mount_point_unmount(cover->identity, place);
	return -1;
}

/* What is mounted in the start's directories from here on is below the mount that their path leads to,
 * which is another one where they are in what has been covered. */
static int open_again(struct procdir *procdir)
{
	close(procdir->fd);
	procdir->fd = open(procdir->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return procdir->fd < 0 ? -1 : 0;
}

int cover_directory(const struct cover *cover, const char **where)
{
	static char entry[NAME_MAX + 1];
	OWNED_FD from = mount_point_real(cover->directory, O_RDONLY);
	struct covering covering = { .cover = cover, .from = from, .to = -1 };
	int result;

	*where = "it";
	if (from < 0)
		return -1;
	result = cover->directory[1] ? cover_in_place(&covering, where) :
				       replace_root(&covering, where);
	if (result == 0)
		result = open_again(cover->procdir);
	int error = errno;
	if (covering.to >= 0)
		close(covering.to);
	if (covering.entry[0]) {
		stpcpy(entry, covering.entry);
		*where = entry;
	}
	errno = error;
	return result;
}
