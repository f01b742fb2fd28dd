#include "root/rights.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kernel/namespace.h"
#include "root/fake.h"

#define BIT(capability) (UINT64_C(1) << (capability))

/* Without SETFCAP a user namespace inside could not map root (Linux 5.12). */
#define KEPT                                                                              \
	(BIT(CAP_CHOWN) | BIT(CAP_DAC_OVERRIDE) | BIT(CAP_FOWNER) | BIT(CAP_FSETID) |     \
	 BIT(CAP_KILL) | BIT(CAP_NET_BIND_SERVICE) | BIT(CAP_SETFCAP) | BIT(CAP_SETGID) | \
	 BIT(CAP_SETPCAP) | BIT(CAP_SETUID) | BIT(CAP_SYS_CHROOT))

static int refuse(const char *what, struct failure *failure)
{
	return fail_errno(failure, FUSELAGE_E_ROOT_START, "%s", what);
}

/* What stays in this set root gets back by exec, so a root that cannot take it out is not started. */
static int drop_bounding(void)
{
	/* Ends where the kernel knows no more of them. */
	for (int capability = 0; prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; capability++)
		if ((capability > 63 || !(KEPT >> capability & 1)) &&
		    prctl(PR_CAPBSET_READ, capability, 0, 0, 0) > 0 &&
		    prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0)
			return -1;
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	return 0;
}

/* What exec makes of these is bounded by what was dropped; inheritable ones it would add. */
static int drop_effective(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &header, data) < 0)
		return -1;
	for (int i = 0; i < 2; i++) {
		uint32_t kept = (uint32_t)(KEPT >> 32 * i);
		data[i].permitted &= kept;
		data[i].effective &= kept;
		data[i].inheritable = 0;
	}
	return (int)syscall(SYS_capset, &header, data);
}

/* For a call that was refused, whose errno stays: the capability that it takes, where that is not there. */
static const char *lacking(int capability)
{
	static const struct {
		int capability;
		const char *words;
	} known[] = {
		{ CAP_SETGID, ", without CAP_SETGID" },
		{ CAP_SETUID, ", without CAP_SETUID" },
		{ CAP_SETPCAP,
		  ", without CAP_SETPCAP (--keep-caps starts with all that there are)" },
	};
	int error = errno;
	bool there = namespace_has_capability(capability);

	errno = error;
	for (size_t i = 0; !there && i < sizeof known / sizeof *known; i++)
		if (known[i].capability == capability)
			return known[i].words;
	return "";
}

/*
 * In a user namespace the caller is USER already, but where --range keeps its files. Groups that are the caller's outside have no name
 * inside and go on counting, unless the image gives its user some of its own.
 */
static int become(const struct root_start *root, const struct identity *identity,
		  struct failure *failure)
{
	const struct account *user = &root->user;
	bool is_user = identity->kind == NAMESPACE_USER && identity->uid == user->uid &&
		       identity->gid == user->gid;

	if (identity->kind == NAMESPACE_USER && !identity_has_range(identity))
		return 0;
	if ((!is_user || user->group_count > 0) && setgroups(user->group_count, user->groups) < 0)
		return fail_errno(failure, FUSELAGE_E_ROOT_USER, "groups of user %u%s",
				  (unsigned)user->uid, lacking(CAP_SETGID));
	if (!is_user && setresgid(user->gid, user->gid, user->gid) < 0)
		return fail_errno(failure, FUSELAGE_E_ROOT_USER, "group %u%s", (unsigned)user->gid,
				  lacking(CAP_SETGID));
	if (!is_user && setresuid(user->uid, user->uid, user->uid) < 0)
		return fail_errno(failure, FUSELAGE_E_ROOT_USER, "user %u%s", (unsigned)user->uid,
				  lacking(CAP_SETUID));
	return 0;
}

bool rights_are_faked(const struct root_start *root, const struct identity *identity)
{
	return identity->kind == NAMESPACE_USER && !identity_has_range(identity) &&
	       root->user.uid == 0 && !root->options.no_fake;
}

int rights_take(const struct root_start *root, const struct identity *identity,
		struct failure *failure)
{
	bool fake = rights_are_faked(root, identity);

	if (root->options.contain && syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) < 0 &&
	    errno != ENOSYS)
		return refuse("session keyring", failure);
	/* It takes CAP_SYS_ADMIN, or a promise that set-id programs would pay for. */
	if (fake && fake_root() < 0)
		return refuse("system call filter", failure);
	if (!root->options.keep_caps && drop_bounding() < 0)
		return fail_errno(failure, FUSELAGE_E_ROOT_START,
				  "capabilities cannot be dropped%s", lacking(CAP_SETPCAP));
	if (become(root, identity, failure) < 0)
		return -1;
	/* The filter answers this one too; a new user namespace has no inheritable ones to lose. */
	if (!root->options.keep_caps && !fake && drop_effective() < 0)
		return refuse("capabilities", failure);
	return 0;
}
