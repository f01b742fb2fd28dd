#include "sandbox/terminals.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/descriptors.h"
#include "base/owned.h"
#include "kernel/trees.h"

#define TERMINALS "/dev/pts"
#define CONSOLE "/dev/console"
#define TO_USE (GRANT_READ | GRANT_WRITE | GRANT_DEVICE)

/* The path leads to what is open, in whatever mount namespace that was opened. */
static const char *const standard[] = { "/proc/self/fd/0", "/proc/self/fd/1", "/proc/self/fd/2" };

int terminals_add(struct grants *grants, struct failure *failure)
{
	static const char *const makers[] = { "/dev/tty", "/dev/ptmx" };

	for (size_t i = 0; i < 2; i++)
		if (grants_add_system(grants, makers[i], TO_USE | GRANT_FILE, failure) < 0)
			return -1;
	for (int fd = 0; fd < 3; fd++) {
		if (!isatty(fd))
			continue;
		grants->terminals |= 1u << fd;
		if (grants_add_system(grants, standard[fd], TO_USE | GRANT_FILE, failure) < 0)
			return -1;
	}
	return 0;
}

/* The own terminal as it is to be seen in this mount namespace, or -1: there is none, or it is no pseudoterminal. */
static int open_own(const struct grants *grants)
{
	char path[PATH_MAX];
	struct stat own, named;

	for (int fd = 0; fd < 3; fd++)
		if (grants->terminals >> fd & 1 && descriptor_path(fd, path, sizeof path) == 0 &&
		    grant_is_in(path, TERMINALS) && fstat(fd, &own) == 0 &&
		    stat(path, &named) == 0 && own.st_dev == named.st_dev &&
		    own.st_ino == named.st_ino)
			return tree_open_alone(AT_FDCWD, path);
	return -1;
}

int terminals_make(struct grants *grants, struct failure *failure)
{
	OWNED_FD own = open_own(grants);

	/* Where there are none to be had the app makes no new ones, since the machine's are out of reach. */
	if (mount("devpts", TERMINALS, "devpts", MS_NOSUID | MS_NOEXEC,
		  "newinstance,ptmxmode=0666,mode=0620") < 0)
		return 0;
	/* ttyname(3) looks through the directory. */
	if (own >= 0 && tree_move(own, CONSOLE) == 0 &&
	    grants_add_system(grants, "/dev", GRANT_LIST, failure) < 0)
		return -1;
	return grants_add_real(grants, TERMINALS, TO_USE, failure);
}
