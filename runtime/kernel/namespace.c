#include "kernel/namespace.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/child.h"
#include "base/owned.h"

bool namespace_has_capability(int capability)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { 0 };

	if (syscall(SYS_capget, &header, data) < 0)
		return false;
	return data[CAP_TO_INDEX(capability)].effective & CAP_TO_MASK(capability);
}

static bool has_admin(void)
{
	return namespace_has_capability(CAP_SYS_ADMIN);
}

enum namespace_kind namespace_kind(const struct caller *caller)
{
	return caller->setuid || has_admin() ? NAMESPACE_PRIVILEGED : NAMESPACE_USER;
}

bool namespace_is_initial(const struct caller *caller)
{
	OWNED_FD fd = open("/proc/self/uid_map", O_RDONLY | O_CLOEXEC);
	char map[128];
	ssize_t n = fd < 0 ? -1 : read(fd, map, sizeof map - 1);

	if (!caller->setuid && !has_admin())
		return false;
	if (n <= 0)
		return true; /* no /proc: the mount itself will tell */
	map[n] = 0;
	char *at = map;
	unsigned long inside = strtoul(at, &at, 10);
	unsigned long outside = strtoul(at, &at, 10);
	unsigned long count = strtoul(at, &at, 10);
	return inside == 0 && outside == 0 && count == UINT32_MAX;
}

static int write_file(const char *path, const char *text, struct failure *failure)
{
	OWNED_FD fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write_full(fd, text, strlen(text)) < 0)
		return fail_errno(failure, FUSELAGE_E_NAMESPACE, "%s", path);
	return 0;
}

#define APPARMOR_SWITCH "/proc/sys/kernel/apparmor_restrict_unprivileged_userns"

/* What refuses user namespaces is rarely in errno alone, which is kept. */
static const char *refusal(int error)
{
	const char *why = "";

	if (error == ENOSPC || error == EUSERS)
		why = " (limit: user.max_user_namespaces or nesting depth)";
	else if (error == EPERM)
		why = " (refused by policy: a chroot, seccomp, an LSM or a sysctl)";
	else if (error == EINVAL)
		why = " (the kernel has none)";
	errno = error;
	return why;
}

/*
 * `uid` and `gid` are what the caller is called where the namespace was made, and `may_map` whether it had what
 * the kernel wants of root there.
 */
static int map_caller(const struct identity *identity, uid_t uid, gid_t gid, bool may_map,
		      struct failure *failure)
{
	struct failure refused = { 0 };
	char line[64];

	/* Without CAP_SETGID outside, the kernel takes a gid map only when setgroups is off. */
	if (write_file("/proc/self/setgroups", "deny", failure) < 0)
		return -1;
	snprintf(line, sizeof line, "%u %u 1", (unsigned)identity->uid, (unsigned)uid);
	if (write_file("/proc/self/uid_map", line, &refused) < 0)
		return !may_map && refused.error == EPERM ?
			       fail(failure, FUSELAGE_E_NAMESPACE,
				    "this root lacks CAP_SETFCAP, without which Linux maps no root "
				    "into a user namespace (/proc/self/uid_map)") :
			       fail_as(failure, &refused);
	snprintf(line, sizeof line, "%u %u 1", (unsigned)identity->gid, (unsigned)gid);
	return write_file("/proc/self/gid_map", line, failure);
}

static int unshare_user(struct failure *failure)
{
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0)
		return 0;
	const char *why = refusal(errno);
	return fail_errno(failure, FUSELAGE_E_NAMESPACE, "user namespace cannot be made%s", why);
}

static int make_user_namespace(const struct identity *identity, struct failure *failure)
{
	/* Not the caller's, in a namespace that was joined and is not to be used. */
	uid_t uid = geteuid();
	gid_t gid = getegid();
	bool may_map = uid != 0 || namespace_has_capability(CAP_SETFCAP);
	struct id_mapper mapper;

	if (identity_has_range(identity) && id_mapper_start(&mapper, identity->maps, failure) < 0)
		return -1;
	if (unshare_user(failure) < 0)
		return -1;
	return identity_has_range(identity) ? id_mapper_finish(&mapper, failure) :
					      map_caller(identity, uid, gid, may_map, failure);
}

static int make_namespace(const struct identity *identity, bool joined, struct failure *failure)
{
	if (identity->kind == NAMESPACE_PRIVILEGED || joined) {
		privileges_raise(&identity->caller);
		int result = unshare(CLONE_NEWNS);
		privileges_lower(&identity->caller);
		return result == 0 ? 0 :
				     fail_errno(failure, FUSELAGE_E_NAMESPACE,
						"mount namespace cannot be made");
	}
	return make_user_namespace(identity, failure);
}

/* Mounts that the host makes later arrive, none of ours go out. */
static int receive_only(const struct identity *identity)
{
	int result = identity->caller.setuid ? chdir("/") : 0;

	privileges_raise(&identity->caller);
	if (result == 0)
		result = mount(NULL, identity->caller.setuid ? "." : "/", NULL, MS_SLAVE | MS_REC,
			       NULL);
	privileges_lower(&identity->caller);
	return result;
}

#define REFUSED 1

/* In a process of its own, which may be killed for it. */
static int try_namespace(void *argument)
{
	const struct identity *identity = argument;
	const struct rlimit no_core = { 0 };
	struct failure ignored = { 0 };

	setrlimit(RLIMIT_CORE, &no_core);
	/* These do nothing: a filter decides by their numbers. */
	syscall(SYS_setns, -1, 0);
	syscall(SYS_move_mount, -1, NULL, -1, NULL, 0);
	syscall(SYS_umount2, NULL, 0);
	return make_namespace(identity, false, &ignored) < 0 || receive_only(identity) < 0 ?
		       REFUSED :
		       0;
}

static int probe(const struct identity *identity)
{
	return child_run(try_namespace, (void *)(uintptr_t)identity);
}

int namespace_probe(const struct identity *identity, struct failure *failure)
{
	if (prctl(PR_GET_SECCOMP, 0, 0, 0, 0) <= 0 || probe(identity) <= REFUSED)
		return 0;
	fail(failure, FUSELAGE_E_NAMESPACE,
	     "a system call filter (seccomp) kills whoever mounts: it would have to answer EPERM, "
	     "or allow it");
	return fail_cause(failure, FUSELAGE_CAUSE_NAMESPACE);
}

/*
 * Where AppArmor restricts user namespaces they are made, and then good for nothing: there is no
 * way back out of one. A child finds out first; without one it is taken for good.
 */
static bool is_crippled(const struct identity *identity)
{
	OWNED_FD fd = open(APPARMOR_SWITCH, O_RDONLY | O_CLOEXEC);
	char value = '0';

	if (fd < 0 || read(fd, &value, 1) != 1 || value == '0')
		return false;
	return probe(identity) > 0;
}

static int leave_host(const struct identity *identity, bool joined, struct failure *failure)
{
	if (identity->kind == NAMESPACE_USER && !joined && is_crippled(identity))
		return fail(failure, FUSELAGE_E_NAMESPACE,
			    "user namespace is made without capabilities (AppArmor: "
			    "kernel.apparmor_restrict_unprivileged_userns = 1)");
	return make_namespace(identity, joined, failure);
}

/*
 * The caller's directory, as this namespace has it, where mounts are made by going to others
 * (mount_at). The link in /proc leads to one that may not be searched, too.
 */
static int keep_directory(const struct identity *identity, int *cwd, struct failure *failure)
{
	if (!identity->caller.setuid)
		return 0;
	*cwd = open("/proc/self/cwd", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (*cwd < 0)
		return fail_errno(failure, FUSELAGE_E_NAMESPACE, "the current directory");
	return 0;
}

int namespace_nest(uid_t uid, gid_t gid, struct failure *failure)
{
	const struct identity inside = { .uid = uid, .gid = gid };

	if (make_user_namespace(&inside, failure) < 0)
		return fail_cause(failure, FUSELAGE_CAUSE_NAMESPACE);
	if (receive_only(&inside) == 0)
		return 0;
	return fail_errno(failure, FUSELAGE_E_NAMESPACE, "/: propagation cannot be set to slave");
}

int namespace_enter(const struct identity *identity, bool joined, int *cwd, struct failure *failure)
{
	if (leave_host(identity, joined, failure) < 0)
		return fail_cause(failure, FUSELAGE_CAUSE_NAMESPACE);
	if (keep_directory(identity, cwd, failure) < 0)
		return -1;
	/* Where the user namespace is another one, the kernel has made each shared mount a slave. */
	if (identity->kind == NAMESPACE_USER || receive_only(identity) == 0)
		return 0;
	fail_errno(failure, FUSELAGE_E_NAMESPACE, "/: propagation cannot be set to slave");
	return fail_cause(failure, FUSELAGE_CAUSE_NAMESPACE);
}
