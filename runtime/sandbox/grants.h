/* Which paths the rules of a sandbox come to on this machine. */
#ifndef SANDBOX_GRANTS_H
#define SANDBOX_GRANTS_H

#include <stddef.h>

#include "sandbox/landlock.h"
#include "sandbox/sandbox.h"

#define GRANTS_MAX 192
#define GRANT_FILES_MAX 65

struct grant {
	const char *path; /* real where it may be below a private directory */
	unsigned rights; /* GRANT_READ and so on; 0: to be seen, and no more (a socket) */
	bool kept; /* is put back where a private directory hides it */
	/*
	 * What was found there, or -1: to name it again would be another way through its directories. It is open until
	 * exec, where nothing of another namespace may be looked for by it.
	 */
	int place;
};

struct grants {
	struct grant list[GRANTS_MAX];
	size_t count;
	unsigned
		terminals; /* bits of what of standard input, output and error is one (terminals.c) */
	bool inside; /* the image is the root directory (inside.h): a rule for / is one for what starts show there */
	const struct session *session;
	char *home; /* real, or NULL: none that is a directory */
	char *runtime; /* the same of XDG_RUNTIME_DIR */
	char *cwd;
	char *files[GRANT_FILES_MAX]; /* real: what the next start is made of */
	size_t file_count;
	/* Detached mounts of a socket that takes the place of the session's bus, or -1 (bus.h). */
	int bus, bus_cover;
	char *bus_socket; /* its own path, which is removed when it is in place */
	char *bus_real; /* where that is, or "" or NULL */
	char *app_data; /* what the word app-data came to, or NULL */
};

/* In the namespace of the start, before anything is hidden; of a struct that is empty. They last until exec. */
int grants_collect(struct grants *grants, const struct sandbox *sandbox,
		   const struct sandbox_start *start, struct failure *failure);

/* The same of what rules alone allow, for a root directory where nothing else of the machine is. */
int grants_collect_inside(struct grants *grants, const struct sandbox *sandbox, const char *name,
			  struct failure *failure);

/*
 * Opens what is at `path`, and says what the kernel calls it: `real` has room for PATH_MAX bytes. Returns an O_PATH
 * descriptor, or -1 and errno.
 */
int grants_open(const char *path, char *real);

/* Adds a path with links resolved; one that is not there is passed over. */
int grants_add(struct grants *grants, const char *path, unsigned rights, struct failure *failure);

/* The same of a path that has no links, and is there. */
int grants_add_real(struct grants *grants, const char *path, unsigned rights,
		    struct failure *failure);

/* Of the machine: nothing private stands above it, and its name, which is not copied, may be a link. */
int grants_add_system(struct grants *grants, const char *path, unsigned rights,
		      struct failure *failure);

/* A directory that is open as `place`, which is the list's from then on. The path is not copied. */
int grants_add_open(struct grants *grants, const char *path, int place, unsigned rights,
		    struct failure *failure);

/* What every program has of the machine (machine.c). `host`: its programs, too; `network`: names of hosts. */
int grants_add_machine(struct grants *grants, bool host, bool network, bool strict,
		       struct failure *failure);

/* Whether the machine's programs may be started. */
bool sandbox_runs_host(const struct sandbox *sandbox, const struct sandbox_start *start);

/* Whether `path` is `base`, or below it. */
bool grant_is_in(const char *path, const char *base);

/* The paths of a word: cwd, downloads, app-data (places.c). `rights` as for grants_add. */
int grants_add_cwd(struct grants *grants, unsigned rights, struct failure *failure);
int grants_add_downloads(struct grants *grants, unsigned rights, struct failure *failure);
int grants_add_app_data(struct grants *grants, const char *name, unsigned rights,
			struct failure *failure);
/* Lets variables name what is in the directory of app-data, if there is one. Returns -1 without memory. */
int grants_name_app_data(const struct grants *grants);
/* A variable that has names of hosts asked for by TCP, where rules allow no other way. Returns -1 without memory. */
int sandbox_ask_by_tcp(const struct rules *rules);
/* Devices and sockets of the words (devices.c). */
int grants_add_devices(struct grants *grants, const struct rules *rules, struct failure *failure);
int grants_add_display(struct grants *grants, const struct rules *rules, struct failure *failure);

#endif
