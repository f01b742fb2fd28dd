#include "root/sources.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/descriptors.h"
#include "base/owned.h"
#include "generated/names.h"
#include "root/fenced.h"
#include "root/layers.h"
#include "root/paths.h"
#include "kernel/trees.h"

static int refuse(const char *path, struct failure *failure)
{
	return fail_errno(failure, FUSELAGE_E_ROOT_SOURCE, "%.600s of this machine", path);
}

static struct place *add(struct sources *sources, int tree, const char *path, enum place_kind kind,
			 bool directory)
{
	struct place *place = &sources->places[sources->count++];

	*place = (struct place){ .tree = tree, .path = path, .kind = kind, .directory = directory };
	return place;
}

/*
 * A file of the machine's that the image is to have: to be read, since it would be the machine's settings that root of
 * the image changes. None there is none inside. Linux before 5.12 has no such mounts by descriptor.
 */
static void add_file(struct sources *sources, const char *path)
{
	char real[PATH_MAX];
	struct stat st;

	if (!realpath(path, real) || stat(real, &st) < 0 || !S_ISREG(st.st_mode))
		return;
	int tree = tree_open_alone(AT_FDCWD, real);
	struct place *place = add(sources, tree, path, PLACE_SYSTEM, false);
	place->optional = true;
	place->read_only = tree >= 0 && tree_read_only(tree) < 0 && errno != ENOSYS;
}

static int add_system(struct sources *sources, const char *path, struct failure *failure)
{
	int tree = tree_open(AT_FDCWD, path);

	add(sources, tree, path, PLACE_SYSTEM, true);
	return tree < 0 ? refuse(path, failure) : 0;
}

/* A directory of the machine's at its own path, where that can be had: another file system may refuse. */
static bool add_same(struct sources *sources, const char *path)
{
	struct stat st;
	int tree;

	if (stat(path, &st) < 0 || !S_ISDIR(st.st_mode))
		return false;
	tree = tree_open(AT_FDCWD, path);
	if (tree >= 0)
		add(sources, tree, path, PLACE_GIVEN, true)->optional = true;
	return tree >= 0;
}

static int add_home_and_cwd(struct sources *sources, struct failure *failure)
{
	const char *home = getenv(ENV_HOME);
	char path[PATH_MAX];
	/* None that is reachable: nothing to show. */
	char *cwd = getcwd(path, sizeof path) ? strdup(path) : NULL;

	sources->texts[0] = home && *home == '/' ? path_normal(home) : NULL;
	sources->texts[1] = cwd;
	if (home && *home == '/' && !sources->texts[0])
		return fail(failure, FUSELAGE_E_OUT_OF_MEMORY, ENV_HOME);
	home = sources->texts[0];
	if (home && !path_is_of_system(home))
		sources->home = add_same(sources, home);
	if (!cwd || *cwd != '/' || path_is_of_system(cwd))
		return 0;
	sources->cwd = (sources->home && path_is_in(cwd, home)) || add_same(sources, cwd);
	return 0;
}

/* Without them an app on the desktop would find neither its screen nor its bus. */
static void add_desktop(struct sources *sources)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	const char *display = getenv("DISPLAY");

	if (runtime && strncmp(runtime, "/run/user/", 10) == 0 && path_is_normal(runtime))
		add_same(sources, runtime);
	if (display && *display)
		add_same(sources, "/tmp/.X11-unix");
}

/* What is mounted there is the kernel's, behind all volumes or over them: one there would not be seen. */
static bool is_of_kernel(const char *path)
{
	static const char *const below[] = { "/dev/pts", "/proc", "/sys/devices/virtual/powercap",
					     "/sys/firmware" };

	for (size_t i = 0; i < sizeof below / sizeof *below; i++)
		if (path_is_in(path, below[i]))
			return true;
	return strcmp(path, "/dev") == 0 || strcmp(path, "/sys") == 0;
}

/* HOST[:INSIDE[:ro]] */
static int add_volume(struct sources *sources, const struct root_start *root, size_t index,
		      struct failure *failure)
{
	const char *text = root->options.volumes.texts[index];
	size_t length = strcspn(text, ":");
	OWNED char *given = strndup(text, length);
	OWNED char *host = given ? path_from_home(given) : NULL;
	struct stat st;

	if (!host)
		return fail(failure, FUSELAGE_E_OUT_OF_MEMORY, "-v %.300s", text);
	const char *inside = text[length] ? text + length + 1 : NULL;
	const char *mode = inside ? strchr(inside, ':') : NULL;
	OWNED char *wanted = !inside ? realpath(host, NULL) :
			     mode    ? strndup(inside, (size_t)(mode - inside)) :
				       strdup(inside);
	int tree = wanted ? tree_open(AT_FDCWD, host) : -1;
	if (tree < 0 || fstat(tree, &st) < 0)
		return refuse(host, failure);
	/* Lasts until exec. */
	char *path = path_normal(wanted);
	if (!path || !path[1])
		return fail(failure, FUSELAGE_E_ROOT_SOURCE,
			    "-v %.300s: expected a path below / inside", text);
	if (is_of_kernel(path))
		return fail(failure, FUSELAGE_E_ROOT_SOURCE,
			    "-v %.300s: %.300s is the kernel's inside, where a volume would not be "
			    "seen",
			    text, path);
	struct place *place = add(sources, tree, path, PLACE_GIVEN, S_ISDIR(st.st_mode));
	place->read_only = mode && strcmp(mode, ":ro") == 0;
	return root_is_fenced(root) ?
		       fenced_volume(place, root, host, index < root->options.recorded_volumes,
				     failure) :
		       0;
}

static int add_device(struct sources *sources, const char *from, const char *path,
		      struct failure *failure)
{
	int tree = tree_open_alone(AT_FDCWD, from);

	add(sources, tree, path, PLACE_SYSTEM, false);
	return tree < 0 ? refuse(from, failure) : 0;
}

/* A /dev with what every program expects, and the terminal as /dev/console, where ttyname looks. */
static int add_devices(struct sources *sources, int base, struct failure *failure)
{
	static const char *const nodes[] = { "/dev/null",   "/dev/zero",    "/dev/full",
					     "/dev/random", "/dev/urandom", "/dev/tty" };
	char terminal[64];

	add(sources, tree_open_alone(base, LAYER_DEV), "/dev", PLACE_SYSTEM, true);
	for (size_t i = 0; i < sizeof nodes / sizeof *nodes; i++)
		if (add_device(sources, nodes[i], nodes[i], failure) < 0)
			return -1;
	add(sources, tree_open_alone(base, LAYER_SHM), "/dev/shm", PLACE_SYSTEM, true);
	if (isatty(0) && descriptor_path(0, terminal, sizeof terminal) == 0)
		add(sources, tree_open_alone(AT_FDCWD, terminal), "/dev/console", PLACE_SYSTEM,
		    false);
	return 0;
}

/* Of a process namespace of its own where the kernel lets us; else the machine's. */
static int add_proc(struct sources *sources, bool own, struct failure *failure)
{
	int tree = own ? tree_proc() : -1;

	if (tree < 0)
		return add_system(sources, "/proc", failure);
	add(sources, tree, "/proc", PLACE_SYSTEM, true);
	return 0;
}

/* What of the machine is the app's unless somebody says otherwise. */
static int add_own(struct sources *sources, const struct root_start *root, struct failure *failure)
{
	if (root_is_fenced(root))
		return fenced_add(sources, root, failure);
	if (root->options.contain)
		return 0;
	add_desktop(sources);
	return add_home_and_cwd(sources, failure);
}

static int add_kernel(struct sources *sources, const struct root_start *root, int base,
		      struct failure *failure)
{
	if (add_system(sources, "/sys", failure) < 0 ||
	    (root_has_own_devices(root) ? add_devices(sources, base, failure) :
					  add_system(sources, "/dev", failure)) < 0 ||
	    /* Before the volumes: a link of the image that leads into it is refused (EXDEV), not covered. */
	    add_proc(sources, root->options.pid, failure) < 0)
		return -1;
	/* In a sandbox settings of the kernel's are to be read. */
	if (root_is_fenced(root))
		sources->places[0].read_only = sources->places[sources->count - 1].read_only = true;
	return 0;
}

int sources_collect(struct sources *sources, const struct root_start *root, int base,
		    struct failure *failure)
{
	const struct run_options *options = &root->options;
	size_t volumes = options->volumes.count;
	struct stat st;

	*sources = (struct sources){ 0 };
	if (fstat(base, &st) < 0)
		return fail_errno(failure, FUSELAGE_E_ROOT_START, "tmpfs");
	sources->memory = st.st_dev;
	const char *name = root->bundle->manifest.name;
	int grants = root_is_fenced(root) ? fenced_collect(root, name, failure) : 0;
	if (grants < 0)
		return -1;
	sources->places = calloc(SOURCES_FIXED + volumes + (size_t)grants, sizeof *sources->places);
	if (!sources->places)
		return fail(failure, FUSELAGE_E_OUT_OF_MEMORY, "what is to be inside");
	if (add_kernel(sources, root, base, failure) < 0)
		return -1;
	add(sources, tree_open_alone(base, LAYER_TMP), "/tmp", PLACE_SYSTEM, true);
	add(sources, tree_open_alone(base, LAYER_RUN), "/run", PLACE_SYSTEM, true);
	add_file(sources, "/etc/resolv.conf");
	add_file(sources, "/etc/hosts");
	if (!options->hostname)
		add_file(sources, "/etc/hostname");
	add_file(sources, "/etc/localtime");
	if (add_own(sources, root, failure) < 0)
		return -1;
	for (size_t i = 0; i < volumes; i++)
		if (add_volume(sources, root, i, failure) < 0)
			return -1;
	return 0;
}

void sources_settle(struct sources *sources)
{
	for (size_t i = 0; i < sources->count; i++) {
		const struct place *place = &sources->places[i];
		if (place->placed)
			continue;
		sources->home = sources->home && strcmp(place->path, sources->texts[0]) != 0;
		sources->cwd = sources->cwd && strcmp(place->path, sources->texts[1]) != 0;
	}
}
