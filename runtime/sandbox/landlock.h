/*
 * Landlock, by the newest version that the kernel has and we know: 1 (Linux 5.13) has files, 2 (5.19) links between
 * directories, 3 (6.2) truncation, 4 (6.7) TCP ports, 5 (6.10) control of devices, 6 (6.12) abstract sockets and
 * signals, 7 (6.15) nothing that is used here. The headers of a build are older than that.
 */
#ifndef SANDBOX_LANDLOCK_H
#define SANDBOX_LANDLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/fail.h"

/* What is allowed at a path. */
enum {
	GRANT_READ = 1,
	GRANT_WRITE = 2,
	GRANT_EXECUTE = 4,
	GRANT_DEVICE = 8, /* control of a device that may be opened */
	GRANT_FILE = 16, /* nothing more: what is there is known to be no directory */
	GRANT_LIST = 32, /* names in a directory, and in those below */
};

struct landlock {
	int version; /* 0: none */
	int ruleset;
	uint64_t files; /* rights that it handles */
	uint64_t ports;
};

/* 0 to 7. */
int landlock_version(void);

/* What is to be closed: ports of TCP, and abstract sockets beside signals. Without Landlock there is no ruleset. */
int landlock_begin(struct landlock *landlock, int version, bool ports, bool abstract_sockets,
		   struct failure *failure);

/* What is at `path`: `place` where it is open, else -1. A path that is not there is passed over. */
int landlock_allow(const struct landlock *landlock, const char *path, int place, unsigned grant,
		   struct failure *failure);

int landlock_allow_port(const struct landlock *landlock, uint16_t port, bool listens,
			struct failure *failure);

/*
 * For this process, for ever, and for all that it starts. Closes the ruleset. Returns 1; 0 where the kernel has
 * stacked as many as it can (16) already; or -1.
 */
int landlock_restrict(struct landlock *landlock, struct failure *failure);

#endif
