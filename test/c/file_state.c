/*
 * What cache/file_state.h says of a file:
 *
 *   file_state FILE      FILE is made anew, and changed
 *
 * Prints what is not as it should be.
 */
#include "cache/file_state.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define CHECK(what)                                        \
	do {                                               \
		if (!(what))                               \
			printf("expected %s\n", #what);    \
	} while (0)

static void wait_ms(long ms)
{
	nanosleep(&(struct timespec){ ms / 1000, ms % 1000 * 1000000 }, NULL);
}

static struct stat state_of(int file)
{
	struct stat state;

	CHECK(file_state_read(file, &state));
	return state;
}

static bool settled(const struct stat *state)
{
	return file_state_has_settled(state, FILE_STATE_SHARED);
}

static bool noted(const struct stat *state)
{
	return file_state_has_settled(state, FILE_STATE_NOTED);
}

/* Each change shows, once the state had settled; reading does not. */
static void check_changes(int file, const char *path)
{
	char byte;

	struct stat state = state_of(file);
	CHECK(pread(file, &byte, 1, 0) == 1 && fsync(file) == 0);
	CHECK(file_state_is(file, &state));
	wait_ms(50);
	CHECK(pwrite(file, "y", 1, 0) == 1);
	CHECK(!file_state_is(file, &state));
	state = state_of(file);
	wait_ms(50);
	/* What was there before, with its old time of change: the kernel's own time is another. */
	CHECK(pwrite(file, "x", 1, 0) == 1 &&
	      futimens(file, (struct timespec[]){ state.st_atim, state.st_mtim }) == 0);
	CHECK(!file_state_is(file, &state));
	state = state_of(file);
	wait_ms(50);
	CHECK(chmod(path, 0640) == 0);
	CHECK(!file_state_is(file, &state));
	CHECK(!file_state_is(-1, &state));
}

static void check_settling(int file, const char *path)
{
	CHECK(pwrite(file, "z", 1, 0) == 1);
	struct stat state = state_of(file);
	CHECK(!settled(&state) && !noted(&state));
	wait_ms(100);
	CHECK(settled(&state) && !noted(&state));
	/* Of a file system with whole seconds, they may be anybody's. */
	struct stat coarse = state;
	coarse.st_ctim.tv_nsec = 0;
	CHECK(!noted(&coarse));
	wait_ms(2000);
	CHECK(settled(&state) && noted(&state));
	coarse.st_ctim.tv_sec -= 10;
	CHECK(settled(&coarse) && !noted(&coarse));
	/* A clock that was set back. */
	struct stat later = state;
	later.st_ctim.tv_sec += 3600;
	CHECK(!settled(&later) && !noted(&later));
	CHECK(unlink(path) == 0);
	state = state_of(file);
	state.st_ctim.tv_sec -= 10;
	CHECK(!settled(&state) && !noted(&state));
	struct stat directory;
	CHECK(stat("/", &directory) == 0 && !settled(&directory) && !noted(&directory));
}

static void check_foreign(void)
{
	struct stat state = { .st_uid = 7, .st_mode = S_IFREG | 0644 };

	CHECK(!file_state_is_foreign(&state, 7));
	CHECK(file_state_is_foreign(&state, 8));
	state.st_uid = 0;
	CHECK(!file_state_is_foreign(&state, 8));
	state.st_mode = S_IFREG | 0664;
	CHECK(file_state_is_foreign(&state, 8) && file_state_is_foreign(&state, 0));
	state.st_mode = S_IFREG | 0602;
	CHECK(file_state_is_foreign(&state, 8) && file_state_is_foreign(&state, 0));
}

int main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	int file = open(argv[1], O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	CHECK(file >= 0 && pwrite(file, "x", 1, 0) == 1);
	wait_ms(50);
	check_changes(file, argv[1]);
	check_settling(file, argv[1]);
	check_foreign();
	return 0;
}
