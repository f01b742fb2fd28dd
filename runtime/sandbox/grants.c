#include "sandbox/grants.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/descriptors.h"
#include "base/owned.h"
#include "generated/names.h"

bool grant_is_in(const char *path, const char *base)
{
	size_t length = strlen(base);

	return strncmp(path, base, length) == 0 &&
	       (!path[length] || path[length] == '/' || (length == 1 && *base == '/'));
}

/* Room for one more, or NULL. */
static struct grant *room(struct grants *grants, struct failure *failure)
{
	if (grants->count < GRANTS_MAX)
		return &grants->list[grants->count++];
	fail(failure, FUSELAGE_E_SANDBOX, "more than 192 paths");
	return NULL;
}

/* A path that lives as long as the list. */
static int take(struct grants *grants, struct grant grant, struct failure *failure)
{
	struct grant *taken = room(grants, failure);

	if (!taken)
		return -1;
	*taken = grant;
	return 0;
}

/* A path that does not, and is to be put back. */
static int take_copy(struct grants *grants, const char *path, unsigned rights, int place,
		     struct failure *failure)
{
	struct grant *taken = room(grants, failure);

	if (!taken)
		return -1;
	*taken = (struct grant){ strdup(path), rights, true, place };
	return taken->path ? 0 : fail(failure, FUSELAGE_E_OUT_OF_MEMORY, "paths of the sandbox");
}

/* Whether nothing of it can be told in fewer bytes: what no link is in is the kernel's own name then. */
static bool is_shortest(const char *path)
{
	if (*path != '/')
		return false;
	for (const char *at = path; *at && path[1]; at++) {
		size_t dots = *at == '/' ? strspn(at + 1, ".") : 0;
		if (*at == '/' && dots <= 2 && (!at[1 + dots] || at[1 + dots] == '/'))
			return false;
	}
	return true;
}

/* To ask for a name makes a file of /proc, which takes longer than to look at every component. */
int grants_open(const char *path, char *real)
{
	const struct open_how how = { .flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_NO_SYMLINKS };
	size_t length = strlen(path);

	if (length < PATH_MAX && is_shortest(path)) {
		memcpy(real, path, length + 1);
		int place = (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof how);
		if (place >= 0 || errno == ENOENT)
			return place;
	}
	/* Musl's open(2) sets close-on-exec a second time. */
	int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_PATH | O_CLOEXEC);
	if (fd < 0 || (descriptor_path(fd, real, PATH_MAX) == 0 && *real == '/'))
		return fd;
	close(fd);
	errno = ENOENT;
	return -1;
}

/* As the kernel calls it, or NULL. */
static char *real(const char *path)
{
	char text[PATH_MAX];
	OWNED_FD fd = grants_open(path, text);

	return fd >= 0 ? strdup(text) : NULL;
}

int grants_add(struct grants *grants, const char *path, unsigned rights, struct failure *failure)
{
	char text[PATH_MAX];
	int place = grants_open(path, text);

	/* What is there and cannot be opened now would be missing in silence. */
	if (place < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM))
		return fail_errno(failure, FUSELAGE_E_SANDBOX, "%.600s", path);
	return place < 0 ? 0 : take_copy(grants, text, rights, place, failure);
}

int grants_add_real(struct grants *grants, const char *path, unsigned rights,
		    struct failure *failure)
{
	return take_copy(grants, path, rights, -1, failure);
}

int grants_add_system(struct grants *grants, const char *path, unsigned rights,
		      struct failure *failure)
{
	return take(grants, (struct grant){ path, rights, false, -1 }, failure);
}

int grants_add_open(struct grants *grants, const char *path, int place, unsigned rights,
		    struct failure *failure)
{
	return take(grants, (struct grant){ path, rights, true, place }, failure);
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

static bool is_file(const struct grants *grants, const char *path)
{
	for (size_t i = 0; i < grants->file_count; i++)
		if (strcmp(grants->files[i], path) == 0)
			return true;
	return false;
}

/* What cannot be told by a path is out of reach of one, too. A bundle is its own archive: it counts once. */
static void add_file(struct grants *grants, char *found)
{
	if (found && *found == '/' && grants->file_count < GRANT_FILES_MAX &&
	    !is_file(grants, found))
		grants->files[grants->file_count++] = found;
	else
		free(found);
}

static void add_files(struct grants *grants, const struct sandbox_start *start)
{
	char own[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", own, sizeof own - 1);

	own[n > 0 ? n : 0] = 0;
	add_file(grants, strdup(own));
	for (size_t i = 0; start->files[i]; i++)
		if (!is_file(grants, start->files[i]))
			add_file(grants, real(start->files[i]));
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
	return grants_add_machine(grants, host, network, sandbox->mode == SANDBOX_STRICT, failure) <
				       0 ||
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
