#include "sandbox/seal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox/filter.h"

#define BIT(capability) (UINT64_C(1) << (capability))

/* What root needs to be at home with files of its own and of its services, and nothing of the machine's. */
#define KEPT                                                                              \
	(BIT(CAP_CHOWN) | BIT(CAP_DAC_OVERRIDE) | BIT(CAP_FOWNER) | BIT(CAP_FSETID) |     \
	 BIT(CAP_KILL) | BIT(CAP_NET_BIND_SERVICE) | BIT(CAP_SETFCAP) | BIT(CAP_SETGID) | \
	 BIT(CAP_SETPCAP) | BIT(CAP_SETUID))

/* What the bounding set has is given to root by exec, and to others by capabilities of a file. Whether it has no more than `kept` now. */
static bool lower_bounds(uint64_t kept)
{
	bool lowered = true;

	/* Ends where the kernel knows no more of them. */
	for (int i = 0; prctl(PR_CAPBSET_READ, i, 0, 0, 0) >= 0; i++)
		if ((i > 63 || !(kept >> i & 1)) && prctl(PR_CAPBSET_DROP, i, 0, 0, 0) < 0)
			lowered = false;
	return lowered;
}

/*
 * Who is not root has none from here on, of its namespace or ambient: a program with capabilities of its file would
 * get with no_new_privs what whoever starts it has.
 */
static int drop_capabilities(struct failure *failure)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct had[2] = { 0 }, keeps[2];
	uint64_t kept = geteuid() == 0 ? KEPT : 0;

	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (kept)
		lower_bounds(kept);
	if (syscall(SYS_capget, &header, had) < 0)
		return fail_errno(failure, FUSELAGE_E_SANDBOX, "capabilities");
	for (int i = 0; i < 2; i++) {
		keeps[i].permitted = had[i].permitted & (uint32_t)(kept >> 32 * i);
		keeps[i].effective = had[i].effective & (uint32_t)(kept >> 32 * i);
		keeps[i].inheritable = 0;
	}
	if (memcmp(had, keeps, sizeof had) == 0 || syscall(SYS_capset, &header, keeps) == 0)
		return 0;
	/* The filter of a service of systemd refuses it. Exec itself takes all that a user has of a namespace of his own. */
	int error = errno;
	if (!kept && !had[0].inheritable && !had[1].inheritable && lower_bounds(0))
		return 0;
	errno = error;
	return fail_errno(failure, FUSELAGE_E_SANDBOX, "capabilities");
}

#define CLOSE_RANGE 436
#define CLOSE_AT_EXEC 4u /* CLOSE_RANGE_CLOEXEC: the failure of exec is told through them */

/* No wall looks at a descriptor that is open: a directory leads out, a socket of another program's speaks for it. */
static void close_inherited(unsigned first)
{
	if (syscall(CLOSE_RANGE, first, ~0u, CLOSE_AT_EXEC) == 0)
		return;
	struct rlimit most = { 0 };

	getrlimit(RLIMIT_NOFILE, &most);
	for (rlim_t fd = first; fd < most.rlim_cur && fd < 65536; fd++)
		fcntl((int)fd, F_SETFD, FD_CLOEXEC);
}

/* Whether another one, which is not of the system, is about all of it: a rule costs as much as five system calls. */
static bool is_covered(const struct grants *grants, size_t index)
{
	const struct grant *grant = &grants->list[index];

	for (size_t i = 0; i < grants->count; i++) {
		const struct grant *other = &grants->list[i];
		if (i == index || !other->kept || (grant->rights & ~(other->rights | GRANT_FILE)) ||
		    !grant_is_in(grant->path, other->path))
			continue;
		/* Of two that are the same one stays. */
		if (i < index || strcmp(grant->path, other->path) != 0 ||
		    grant->rights != other->rights)
			return true;
	}
	return false;
}

static int allow_all(const struct landlock *landlock, const struct rules *rules,
		     const struct grants *grants, struct failure *failure)
{
	for (size_t i = 0; i < grants->count; i++) {
		const struct grant *grant = &grants->list[i];
		if (grant->rights && !is_covered(grants, i) &&
		    landlock_allow(landlock, grant->path, grant->place, grant->rights, failure) < 0)
			return -1;
	}
	for (size_t i = 0; i < rules->connect_count; i++)
		if (landlock_allow_port(landlock, rules->connect[i], false, failure) < 0)
			return -1;
	for (size_t i = 0; i < rules->listen_count; i++)
		if (landlock_allow_port(landlock, rules->listen[i], true, failure) < 0)
			return -1;
	return 0;
}

static int restrict_files(const struct sandbox *sandbox, int version, const struct grants *grants,
			  struct failure *failure)
{
	const struct rules *rules = &sandbox->rules;
	struct landlock landlock;

	/* X11's library asks the abstract socket first, and takes its refusal for the end. */
	if (landlock_begin(&landlock, version, !rules_have(rules, RULE_NET_ALL),
			   !rules_have(rules, RULE_X11), failure) < 0 ||
	    allow_all(&landlock, rules, grants, failure) < 0)
		return -1;
	int result = landlock_restrict(&landlock, failure);
	if (result == 0 && sandbox->mode == SANDBOX_STRICT)
		return fail(failure, FUSELAGE_E_SANDBOX_STRICT,
			    "Landlock: in as many sandboxes as the kernel stacks already");
	return result < 0 ? -1 : 0;
}

int seal(const struct sandbox *sandbox, const struct facts *facts, const struct grants *grants,
	 struct failure *failure)
{
	const struct rules *rules = &sandbox->rules;
	uint32_t switches = filter_switches(rules, sandbox->mode == SANDBOX_STRICT, facts->ipcns,
					    facts->landlock);

	/* Without no_new_privs the rest is for root alone, and a set-id program would be outside of it. */
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return fail_errno(failure, FUSELAGE_E_SANDBOX, "no_new_privs");
	close_inherited(3 + sandbox->session.passed);
	if (drop_capabilities(failure) < 0 ||
	    restrict_files(sandbox, facts->landlock, grants, failure) < 0)
		return -1;
	return facts->filter ? filter_install(rules, switches, failure) : 0;
}
