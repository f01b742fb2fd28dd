#include "sandbox/grants.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/descriptors.h"
#include "base/owned.h"
#include "generated/names.h"
#include "sandbox/terminals.h"

bool grant_is_in(const char *path, const char *base)
{
	size_t length = strlen(base);

	return strncmp(path, base, length) == 0 &&
	       (!path[length] || path[length] == '/' || (length == 1 && *base == '/'));
}

static int take(struct grants *grants, char *path, unsigned rights, bool kept,
		struct failure *failure)
{
	if (path && grants->count < GRANTS_MAX) {
		grants->list[grants->count++] = (struct grant){ path, rights, kept };
		return 0;
	}
	free(path);
	return fail(failure, path ? FUSELAGE_E_SANDBOX : FUSELAGE_E_OUT_OF_MEMORY,
		    path ? "more than 192 paths" : "paths of the sandbox");
}

/* As the kernel calls it: two calls, where realpath(3) looks at every component. */
static char *real(const char *path)
{
	char text[PATH_MAX];
	/* Musl's open(2) sets close-on-exec a second time. */
	OWNED_FD fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_PATH | O_CLOEXEC);

	return fd >= 0 && descriptor_path(fd, text, sizeof text) == 0 && *text == '/' ?
		       strdup(text) :
		       NULL;
}

int grants_add(struct grants *grants, const char *path, unsigned rights, struct failure *failure)
{
	char *found = real(path);

	return found ? take(grants, found, rights, true, failure) : 0;
}

int grants_add_real(struct grants *grants, const char *path, unsigned rights,
		    struct failure *failure)
{
	return take(grants, strdup(path), rights, true, failure);
}

int grants_add_system(struct grants *grants, const char *path, unsigned rights,
		      struct failure *failure)
{
	return take(grants, strdup(path), rights, false, failure);
}

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
 * What programs read of a machine: libraries' settings, names of users and hosts, certificates, the time zone,
 * processors and limits. Of /etc each by itself, for root reads secrets there.
 */
static int add_machine(struct grants *grants, bool network, struct failure *failure)
{
	static const char *const files[] = { "/etc/ld.so.cache", "/etc/localtime", "/etc/passwd",
					     "/etc/group", "/etc/nsswitch.conf" };
	static const char *const directories[] = { "/etc/alternatives", "/etc/ssl", "/proc",
						   "/sys/fs/cgroup", "/sys/devices/system" };
	static const char *const names[] = { "/etc/hosts", "/etc/services", "/etc/gai.conf" };
	static const char *const keys[] = { "/etc/pki", "/etc/ca-certificates" };
	static const char *const devices[] = { "/dev/null", "/dev/zero", "/dev/full", "/dev/random",
					       "/dev/urandom" };

	if (add_systems(grants, files, 5, GRANT_READ | GRANT_FILE, failure) < 0 ||
	    add_systems(grants, directories, 5, GRANT_READ, failure) < 0 ||
	    (network && (add_systems(grants, names, 3, GRANT_READ | GRANT_FILE, failure) < 0 ||
			 add_systems(grants, keys, 2, GRANT_READ, failure) < 0)) ||
	    add_systems(grants, devices, 5, GRANT_READ | GRANT_WRITE | GRANT_FILE, failure) < 0 ||
	    terminals_add(grants, failure) < 0)
		return -1;
	/* Often a link into /run, and replaced by rename: the directory has the right. */
	char *resolver = network ? real("/etc/resolv.conf") : NULL;
	if (!resolver)
		return 0;
	if (grant_is_in(resolver, "/etc"))
		return take(grants, resolver, GRANT_READ | GRANT_FILE, false, failure);
	/* But not that of a directory where all programs meet: /run, /tmp. */
	char *slash = strrchr(resolver, '/');
	if (strchr(resolver + 1, '/') < slash)
		*slash = 0;
	return take(grants, resolver, GRANT_READ, true, failure);
}

static int add_list(struct grants *grants, const char *const *paths, unsigned rights,
		    struct failure *failure)
{
	for (; *paths; paths++)
		if (grants_add_real(grants, *paths, rights, failure) < 0)
			return -1;
	return 0;
}

static bool is_in_list(const char *path, const char *const *list)
{
	for (; *list; list++)
		if (grant_is_in(path, *list))
			return true;
	return false;
}

static int add_image(struct grants *grants, const struct sandbox_start *start, bool host,
		     struct failure *failure)
{
	unsigned scratch = GRANT_READ | GRANT_WRITE | (host ? GRANT_EXECUTE : 0);
	const char *const programs[] = { start->program, start->interpreter };

	if (grants_add_real(grants, start->directory, 0, failure) < 0 ||
	    add_list(grants, start->images, GRANT_READ | GRANT_EXECUTE, failure) < 0 ||
	    add_list(grants, start->scratch, scratch, failure) < 0)
		return -1;
	for (size_t i = 0; i < 2; i++)
		if (programs[i] && !is_in_list(programs[i], start->images) &&
		    grants_add(grants, programs[i], GRANT_READ | GRANT_EXECUTE, failure) < 0)
			return -1;
	return 0;
}

static int add_rule(struct grants *grants, const struct rule_path *rule, const char *name,
		    unsigned rights, struct failure *failure)
{
	char path[PATH_MAX];

	switch (rule->place) {
	case PLACE_HOME:
		return grants->home ? grants_add(grants, grants->home, rights, failure) : 0;
	case PLACE_CWD:
		return grants_add_cwd(grants, rights, failure);
	case PLACE_DOWNLOADS:
		return grants_add_downloads(grants, rights, failure);
	case PLACE_APP_DATA:
		return grants_add_app_data(grants, name, rights, failure);
	case PLACE_PATH:
	case PLACE_WORDS:
		break;
	}
	if (grants->inside && rule->length == 1)
		return (grants->home && grants_add(grants, grants->home, rights, failure) < 0) ||
				       grants_add_cwd(grants, rights, failure) < 0 ?
			       -1 :
			       0;
	snprintf(path, sizeof path, "%.*s", (int)rule->length, rule->path);
	return grants_add(grants, path, rights, failure);
}

static int add_rules(struct grants *grants, const struct rules *rules, const char *name, bool host,
		     struct failure *failure)
{
	for (size_t i = 0; i < rules->path_count; i++) {
		unsigned rights = GRANT_READ | (rules->paths[i].write ? GRANT_WRITE : 0) |
				  (host ? GRANT_EXECUTE : 0);
		if (add_rule(grants, &rules->paths[i], name, rights, failure) < 0)
			return -1;
	}
	return 0;
}

bool sandbox_runs_host(const struct sandbox *sandbox, const struct sandbox_start *start)
{
	return rules_have(&sandbox->rules, RULE_EXEC_HOST) ||
	       (!start->own && !rules_have(&sandbox->rules, RULE_EXEC_OWN));
}

static char *directory_of(const char *path)
{
	return path && *path == '/' ? real(path) : NULL;
}

static void begin(struct grants *grants, const struct sandbox *sandbox)
{
	char cwd[PATH_MAX];

	grants->session = &sandbox->session;
	grants->home = directory_of(sandbox->session.home);
	grants->runtime = directory_of(sandbox->session.runtime);
	grants->cwd = getcwd(cwd, sizeof cwd) && *cwd == '/' ? strdup(cwd) : NULL;
}

/* What cannot be told by a path is out of reach of one, too. A bundle is its own archive: it counts once. */
static void add_file(struct grants *grants, const char *path)
{
	char *found = grants->file_count < GRANT_FILES_MAX ? real(path) : NULL;

	for (size_t i = 0; found && i < grants->file_count; i++)
		if (strcmp(grants->files[i], found) == 0) {
			free(found);
			return;
		}
	if (found)
		grants->files[grants->file_count++] = found;
}

static void add_files(struct grants *grants, const struct sandbox_start *start)
{
	add_file(grants, "/proc/self/exe");
	for (size_t i = 0; start->files[i]; i++)
		add_file(grants, start->files[i]);
}

/*
 * A user namespace is good for nothing before its maps are written. What root could write there beside them are
 * settings of the kernel's.
 */
static int add_maps(struct grants *grants, const struct rules *rules, struct failure *failure)
{
	bool may = rules_have(rules, RULE_USERNS) && geteuid() != 0;

	return may ? grants_add_real(grants, "/proc", GRANT_READ | GRANT_WRITE, failure) : 0;
}

int grants_collect(struct grants *grants, const struct sandbox *sandbox,
		   const struct sandbox_start *start, struct failure *failure)
{
	const struct rules *rules = &sandbox->rules;
	bool host = sandbox_runs_host(sandbox, start);
	bool network = rules_have_ports(rules) || rules_have(rules, RULE_NET_ALL);

	begin(grants, sandbox);
	/* The broadest first: what is in one of them needs no rule of its own. */
	if (add_rules(grants, rules, start->name, host, failure) < 0)
		return -1;
	add_files(grants, start);
	return add_programs(grants, host, failure) < 0 ||
			       add_machine(grants, network, failure) < 0 ||
			       add_maps(grants, rules, failure) < 0 ||
			       add_image(grants, start, host, failure) < 0 ||
			       grants_add_devices(grants, rules, failure) < 0 ||
			       grants_add_display(grants, rules, failure) < 0 ?
		       -1 :
		       0;
}

int grants_collect_inside(struct grants *grants, const struct sandbox *sandbox, const char *name,
			  struct failure *failure)
{
	const struct rules *rules = &sandbox->rules;

	begin(grants, sandbox);
	grants->inside = true;
	return add_rules(grants, rules, name, rules_have(rules, RULE_EXEC_HOST), failure) < 0 ||
			       grants_add_devices(grants, rules, failure) < 0 ||
			       grants_add_display(grants, rules, failure) < 0 ?
		       -1 :
		       0;
}
