#include "root/layers.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/descriptors.h"
#include "base/owned.h"

#define LAYER_UPPER "u"
#define LAYER_WORK "w"
#define LAYER_ROOT "r"

#define OPTIONS_MAX 256 /* bytes: of names that are ours */

static int make_directories(int base, bool devices)
{
	static const struct {
		const char *name;
		mode_t mode;
		bool device;
	} directories[] = {
		{ LAYER_UPPER, 0755, false },	  { LAYER_WORK, 0755, false },
		{ LAYER_ROOT, 0755, false },	  { LAYER_TMP, 01777, false },
		{ LAYER_RUN, 0755, false },	  { LAYER_SHM, 01777, true },
		{ LAYER_EMPTY, 0555, false },	  { LAYER_DEV, 0755, true },
		{ LAYER_DEV "/pts", 0755, true }, { LAYER_DEV "/shm", 01777, true },
	};
	static const char *const links[][2] = {
		{ "pts/ptmx", LAYER_DEV "/ptmx" },
		{ "/proc/self/fd", LAYER_DEV "/fd" },
		{ "/proc/self/fd/0", LAYER_DEV "/stdin" },
		{ "/proc/self/fd/1", LAYER_DEV "/stdout" },
		{ "/proc/self/fd/2", LAYER_DEV "/stderr" },
	};

	for (size_t i = 0; i < sizeof directories / sizeof *directories; i++)
		if ((devices || !directories[i].device) &&
		    (mkdirat(base, directories[i].name, 0700) < 0 ||
		     fchmodat(base, directories[i].name, directories[i].mode, 0) < 0))
			return -1;
	for (size_t i = 0; devices && i < sizeof links / sizeof *links; i++)
		if (symlinkat(links[i][0], base, links[i][1]) < 0)
			return -1;
	return 0;
}

int layers_base(const struct root_start *root, const struct start *start, struct failure *failure)
{
	char options[64], point[PATH_MAX + 8];
	int base;

	snprintf(options, sizeof options, "mode=0755,size=%s", root->options.tmpfs_size);
	/* By its path: a descriptor of the namespace that was left is no place to mount on. */
	snprintf(point, sizeof point, "%s/tmp", start->procdir.path);
	if (mount("fuselage", point, "tmpfs", MS_NOSUID | MS_NODEV, options) < 0)
		return fail_errno(failure, FUSELAGE_E_ROOT_START, "%.600s: tmpfs (%s)", point,
				  options);
	base = open(point, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (base >= 0 && make_directories(base, root_has_own_devices(root)) == 0)
		return base;
	fail_errno(failure, FUSELAGE_E_ROOT_START, "tmpfs (%s)", options);
	if (base >= 0)
		close(base);
	return -1;
}

/* The merged root has the owner and mode of its upper layer. */
static void copy_root(int lower, int upper, const char *name)
{
	struct stat st;

	if (fstat(lower, &st) < 0)
		return;
	(void)!fchownat(upper, name, st.st_uid, st.st_gid, AT_SYMLINK_NOFOLLOW);
	fchmodat(upper, name, st.st_mode & 07777, 0);
}

/* Whether it was refused because there is none, or none for users. */
static bool is_missing(int error)
{
	return error == ENODEV || error == EPERM;
}

static int refuse_overlay(const struct root_start *root, struct failure *failure)
{
	if (root->options.persist && (errno == EINVAL || errno == EOPNOTSUPP))
		return fail_errno(failure, FUSELAGE_E_ROOT_PERSIST,
				  "%.600s: its file system cannot be the upper layer of overlayfs",
				  root->options.persist);
	return fail_errno(failure, FUSELAGE_E_ROOT_START, "overlayfs over the image%s",
			  is_missing(errno) ?
				  " (this kernel has none, or none for users, as before "
				  "Linux 5.11; --read-only does without)" :
				  "");
}

static int mount_overlay(const struct root_start *root, const struct start *start, int base,
			 struct failure *failure)
{
	char options[OPTIONS_MAX], image[64], writable[64], point[64];
	bool own = root->persist.directory < 0;
	OWNED_FD lower =
		open(start->invocation.archives[0].target, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (lower < 0)
		return fail_errno(failure, FUSELAGE_E_ROOT_START, "%s",
				  start->invocation.archives[0].target);
	OWNED_FD kept = own ? -1 : persist_layers(&root->persist);
	int layers = own ? base : kept;
	if (layers < 0)
		return fail_errno(failure, FUSELAGE_E_ROOT_PERSIST, "%.600s",
				  root->options.persist);
	const char *upper = own ? LAYER_UPPER : PERSIST_UPPER;
	if (own || root->persist.fresh)
		copy_root(lower, layers, upper);
	descriptor_link(image, sizeof image, lower, "");
	descriptor_link(writable, sizeof writable, layers, "");
	descriptor_link(point, sizeof point, base, LAYER_ROOT);
	snprintf(options, sizeof options, "lowerdir=%s,upperdir=%s%s,workdir=%s%s%s", image,
		 writable, upper, writable, own ? LAYER_WORK : PERSIST_WORK,
		 root->initial ? "" : ",userxattr");
	/* Without nosuid: what is set-id in the image is so for the users that are mapped. */
	if (mount("fuselage", point, "overlay", MS_NODEV, options) == 0)
		return 0;
	/* Nothing is to be changed: then the image itself will do, where it has what is mounted on. */
	if (is_missing(errno) && root->options.read_only && own) {
		int error = errno;
		if (mount(image, point, NULL, MS_BIND, NULL) == 0)
			return 0;
		errno = error;
	}
	return refuse_overlay(root, failure);
}

int layers_enter(struct root_start *root, const struct start *start, int base,
		 struct failure *failure)
{
	if (mount_overlay(root, start, base, failure) < 0)
		return -1;
	OWNED_FD merged = openat(base, LAYER_ROOT, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (merged < 0 || persist_watch(&root->persist, merged) < 0)
		return fail_errno(failure, FUSELAGE_E_ROOT_START, "root directory of the app");
	/* What was the root is on top of it until it is taken away: nothing keeps it but our descriptors. */
	if (fchdir(merged) < 0 || syscall(SYS_pivot_root, ".", ".") < 0)
		return fail_errno(failure, FUSELAGE_E_ROOT_START, "pivot_root%s",
				  errno == EINVAL ? " (the root of this machine is its initramfs)" :
						    "");
	if (umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		return fail_errno(failure, FUSELAGE_E_ROOT_START, "the machine's root directory");
	return 0;
}
