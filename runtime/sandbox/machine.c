/* What every program has of the machine: its libraries and programs, settings that these read, processes and devices. */
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "base/owned.h"
#include "sandbox/grants.h"
#include "sandbox/terminals.h"

#if defined(__x86_64__)
#define LOADERS "/lib64/ld-linux-x86-64.so.2", "/lib/ld-musl-x86_64.so.1"
#elif defined(__aarch64__)
#define LOADERS "/lib/ld-linux-aarch64.so.1", "/lib/ld-musl-aarch64.so.1"
#else
#define LOADERS "/lib/ld-linux-riscv64-lp64d.so.1", "/lib/ld-musl-riscv64.so.1"
#endif

static int add_systems(struct grants *grants, const char *const *paths, size_t count,
		       unsigned rights, struct failure *failure)
{
	for (size_t i = 0; i < count; i++)
		if (grants_add_system(grants, paths[i], rights, failure) < 0)
			return -1;
	return 0;
}

/* Where /lib is one into /usr, all of its kind are, and there already. */
static bool is_link(const char *path)
{
	char target[4];

	return readlink(path, target, sizeof target) >= 0;
}

static int add_programs(struct grants *grants, bool host, struct failure *failure)
{
	static const char *const merged[] = { "/lib", "/lib64", "/lib32", "/bin", "/sbin" };
	static const char *const stores[] = { "/usr", "/nix/store", "/gnu/store" };
	static const char *const loaders[] = { LOADERS };
	unsigned rights = GRANT_READ | (host ? GRANT_EXECUTE : 0);

	if (add_systems(grants, stores, 3, rights, failure) < 0 ||
	    (!is_link("/lib") && add_systems(grants, merged, 5, rights, failure) < 0))
		return -1;
	/* The kernel executes it for every program that needs libraries. */
	return host ? 0 :
		      add_systems(grants, loaders, 2, GRANT_READ | GRANT_EXECUTE | GRANT_FILE,
				  failure);
}

/*
 * Of /etc for an app that is root, and under `strict`: libraries' settings, names of users and hosts, certificates, the
 * time zone, each by itself. A file that takes the place of one of these later has no rule.
 */
static int add_few_settings(struct grants *grants, bool network, struct failure *failure)
{
	static const char *const files[] = { "/etc/ld.so.cache", "/etc/localtime", "/etc/passwd",
					     "/etc/group", "/etc/nsswitch.conf" };
	static const char *const directories[] = { "/etc/alternatives", "/etc/ssl" };
	static const char *const names[] = { "/etc/hosts", "/etc/services", "/etc/gai.conf" };
	static const char *const keys[] = { "/etc/pki", "/etc/ca-certificates" };

	if (add_systems(grants, files, 5, GRANT_READ | GRANT_FILE, failure) < 0 ||
	    add_systems(grants, directories, 2, GRANT_READ, failure) < 0)
		return -1;
	return network && (add_systems(grants, names, 3, GRANT_READ | GRANT_FILE, failure) < 0 ||
			   add_systems(grants, keys, 2, GRANT_READ, failure) < 0) ?
		       -1 :
		       0;
}

/* Where names of hosts are asked for: often a link into /run. `whole`: there is a rule for /etc. */
static int add_resolver(struct grants *grants, bool whole, struct failure *failure)
{
	char path[PATH_MAX];
	OWNED_FD place = grants_open("/etc/resolv.conf", path);
	bool in_settings = place >= 0 && grant_is_in(path, "/etc");

	if (place < 0 || (whole && in_settings))
		return 0;
	if (in_settings)
		return grants_add_system(grants, "/etc/resolv.conf", GRANT_READ | GRANT_FILE,
					 failure);
	/* Replaced by rename: the directory has the right, but not one where all programs meet: /run, /tmp. */
	char *slash = strrchr(path, '/');
	if (strchr(path + 1, '/') < slash)
		*slash = 0;
	return grants_add_real(grants, path, GRANT_READ, failure);
}

/*
 * An app that is not root has no capability over files (seal.c), so what its user may not read of /etc is out of its
 * reach without us: one rule for all of it is also one for files that take the place of others while the app runs.
 */
static int add_settings(struct grants *grants, bool network, bool strict, struct failure *failure)
{
	bool whole = geteuid() != 0 && !strict;

	if ((whole ? grants_add_system(grants, "/etc", GRANT_READ, failure) :
		     add_few_settings(grants, network, failure)) < 0)
		return -1;
	return network ? add_resolver(grants, whole, failure) : 0;
}

int grants_add_machine(struct grants *grants, bool host, bool network, bool strict,
		       struct failure *failure)
{
	/* Processes, limits, processors. */
	static const char *const kernel[] = { "/proc", "/sys/fs/cgroup", "/sys/devices/system" };
	static const char *const devices[] = { "/dev/null", "/dev/zero", "/dev/full", "/dev/random",
					       "/dev/urandom" };

	return add_programs(grants, host, failure) < 0 ||
			       add_settings(grants, network, strict, failure) < 0 ||
			       add_systems(grants, kernel, 3, GRANT_READ, failure) < 0 ||
			       add_systems(grants, devices, 5,
					   GRANT_READ | GRANT_WRITE | GRANT_FILE, failure) < 0 ||
			       terminals_add(grants, failure) < 0 ?
		       -1 :
		       0;
}
