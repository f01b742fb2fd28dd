#include "sandbox/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/owned.h"

/* linux/landlock.h. The numbers are the same on every machine. */
#define CREATE_RULESET 444
#define ADD_RULE 445
#define RESTRICT_SELF 446
#define ASK_VERSION 1u
#define PATH_BENEATH 1
#define NET_PORT 2
#define NEWEST 7

#define BIT(number) (UINT64_C(1) << (number))

#define EXECUTE BIT(0)
#define WRITE_FILE BIT(1)
#define READ_FILE BIT(2)
#define READ_DIR BIT(3)
#define MAKE_CHAR BIT(6)
#define MAKE_BLOCK BIT(11)
#define TRUNCATE BIT(14)
#define IOCTL_DEV BIT(15)
#define EVERYTHING (BIT(16) - 1)

/* What an inode that is no directory can be allowed: anything else is EINVAL. */
#define OF_FILE (EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV)
#define TO_READ (READ_FILE | READ_DIR)
/* Nodes of devices are nothing that an app makes. */
#define TO_WRITE (EVERYTHING & ~(EXECUTE | TO_READ | MAKE_CHAR | MAKE_BLOCK | IOCTL_DEV))

#define BIND_TCP 1
#define CONNECT_TCP 2
#define ABSTRACT_SOCKETS 1
#define SIGNALS 2

struct ruleset {
	uint64_t files;
	uint64_t ports;
	uint64_t scope;
};

struct path_rule {
	uint64_t allowed;
	int32_t parent;
} __attribute__((packed));

struct port_rule {
	uint64_t allowed;
	uint64_t port;
};

int landlock_version(void)
{
	long version = syscall(CREATE_RULESET, NULL, 0, ASK_VERSION);

	return version < 0 ? 0 : version > NEWEST ? NEWEST : (int)version;
}

int landlock_begin(struct landlock *landlock, int version, bool ports, bool abstract_sockets,
		   struct failure *failure)
{
	/* How many rights of files each version has. */
	static const unsigned rights[NEWEST + 1] = { 0, 13, 14, 15, 15, 16, 16, 16 };
	struct ruleset handled = { .files = BIT(rights[version]) - 1 };
	size_t size = version >= 6 ? sizeof handled :
		      version >= 4 ? offsetof(struct ruleset, scope) :
				     offsetof(struct ruleset, ports);

	handled.ports = version >= 4 && ports ? BIND_TCP | CONNECT_TCP : 0;
	handled.scope = version >= 6 ? SIGNALS | (abstract_sockets ? ABSTRACT_SOCKETS : 0) : 0;
	*landlock = (struct landlock){ version, -1, handled.files, handled.ports };
	if (version == 0)
		return 0;
	landlock->ruleset = (int)syscall(CREATE_RULESET, &handled, size, 0);
	if (landlock->ruleset >= 0)
		return 0;
	return fail_errno(failure, FUSELAGE_E_SANDBOX, "Landlock: a ruleset of version %d",
			  version);
}

static uint64_t rights_of(unsigned grant)
{
	return (grant & GRANT_READ ? TO_READ : 0) | (grant & GRANT_WRITE ? TO_WRITE : 0) |
	       (grant & GRANT_EXECUTE ? EXECUTE : 0) | (grant & GRANT_DEVICE ? IOCTL_DEV : 0) |
	       (grant & GRANT_LIST ? READ_DIR : 0);
}

/* Most are directories: the kernel refuses what is more than a file can be allowed, which costs less than to ask it. */
static int add_path_rule(const struct landlock *landlock, struct path_rule *rule)
{
	if (syscall(ADD_RULE, landlock->ruleset, PATH_BENEATH, rule, 0) == 0)
		return 0;
	if (errno != EINVAL || (rule->allowed & OF_FILE) == rule->allowed)
		return -1;
	rule->allowed &= OF_FILE;
	return rule->allowed ? (int)syscall(ADD_RULE, landlock->ruleset, PATH_BENEATH, rule, 0) : 0;
}

int landlock_allow(const struct landlock *landlock, const char *path, int place, unsigned grant,
		   struct failure *failure)
{
	struct path_rule rule = { .allowed = rights_of(grant) & landlock->files };

	if (landlock->ruleset < 0)
		return 0;
	/* Musl's open(2) sets close-on-exec a second time. */
	OWNED_FD fd = place >= 0 ? -1 :
				   (int)syscall(SYS_openat, AT_FDCWD, path, O_PATH | O_CLOEXEC);
	if (place < 0 && fd < 0)
		return 0;
	rule.parent = place >= 0 ? place : fd;
	if (grant & GRANT_FILE)
		rule.allowed &= OF_FILE;
	if (!rule.allowed || add_path_rule(landlock, &rule) == 0)
		return 0;
	return fail_errno(failure, FUSELAGE_E_SANDBOX, "Landlock: %.600s", path);
}

int landlock_allow_port(const struct landlock *landlock, uint16_t port, bool listens,
			struct failure *failure)
{
	const struct port_rule rule = { listens ? BIND_TCP : CONNECT_TCP, port };

	if (landlock->ruleset < 0 || !landlock->ports ||
	    syscall(ADD_RULE, landlock->ruleset, NET_PORT, &rule, 0) == 0)
		return 0;
	return fail_errno(failure, FUSELAGE_E_SANDBOX, "Landlock: port %u", port);
}

int landlock_restrict(struct landlock *landlock, struct failure *failure)
{
	if (landlock->ruleset < 0)
		return 1;
	OWNED_FD ruleset = steal_fd(&landlock->ruleset);
	if (syscall(RESTRICT_SELF, ruleset, 0) == 0)
		return 1;
	return errno == E2BIG ? 0 : fail_errno(failure, FUSELAGE_E_SANDBOX, "Landlock");
}
