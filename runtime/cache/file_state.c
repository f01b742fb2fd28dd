#include "cache/file_state.h"

#include <stdint.h>
#include <string.h>
#include <time.h>

#define SECOND INT64_C(1000000000) /* in ns */

/* Time stamps are of a clock that ticks 100 times a second at least, or of whole seconds. */
#define TICK INT64_C(20000000)
#define COARSE (2 * SECOND)

bool file_state_read(int file, struct stat *state)
{
	memset(state, 0, sizeof *state);
	if (fstat(file, state) < 0)
		return false;
	memset(&state->st_atim, 0, sizeof state->st_atim);
	state->st_blocks = 0;
	return true;
}

bool file_state_is(int file, const struct stat *state)
{
	struct stat now;

	return file_state_read(file, &now) && memcmp(&now, state, sizeof now) == 0;
}

bool file_state_has_settled(const struct stat *state, enum file_state_use use)
{
	const struct timespec *changed = &state->st_ctim;
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	int64_t age = (now.tv_sec - changed->tv_sec) * SECOND + now.tv_nsec - changed->tv_nsec;
	if (!S_ISREG(state->st_mode) || state->st_nlink == 0)
		return false;
	if (use == FILE_STATE_SHARED)
		return age > (changed->tv_nsec ? TICK : COARSE);
	/* Whole seconds are no time of a change where the file system keeps none (squashfs, FAT): there
	 * they may stand for another file after the next mount. */
	return age > COARSE && changed->tv_nsec;
}

bool file_state_is_foreign(const struct stat *state, uid_t uid)
{
	return (state->st_uid != 0 && state->st_uid != uid) || state->st_mode & 022;
}
