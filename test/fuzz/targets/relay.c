/*
 * What the host says to process 1 of a virtual machine: lines, which come in pieces of any size. The first byte is
 * the size of these, in steps of 8. Signals, the clock and the random generator are replaced, and see what reaches them; so is what
 * lets the app stand still.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/random.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <time.h>

/* The file itself, because what reads the lines is its own. */
#include "guest/relay.c" // NOLINT(bugprone-suspicious-include)

#include "target.h"

#define GROUP 1000 /* of the app */
#define SIGNALS_MOST 4096

static unsigned char sent[SIGNALS_MOST];
static size_t sent_count;

int __wrap_kill(pid_t pid, int number);
int __wrap_ioctl(int fd, unsigned long request, ...);
long __wrap_syscall(long number, ...);
long __real_syscall(long number, ...);

int __wrap_kill(pid_t pid, int number)
{
	require(pid == -GROUP && number >= 1 && number <= SIGNAL_MAX);
	require(sent_count < SIGNALS_MOST);
	sent[sent_count++] = (unsigned char)number;
	return 0;
}

int __wrap_ioctl(int fd, unsigned long request, ...)
{
	va_list arguments;

	(void)fd;
	va_start(arguments, request);
	void *argument = va_arg(arguments, void *);
	va_end(arguments);
	if (request == RNDADDENTROPY) {
		const struct rand_pool_info *pool = argument;
		require(pool->buf_size >= 32 && pool->buf_size <= 64);
		require(pool->entropy_count == pool->buf_size * 8);
	} else if (request == TIOCGPGRP) {
		*(pid_t *)argument = GROUP;
	}
	return 0;
}

long __wrap_syscall(long number, ...)
{
	va_list arguments;

	require(number == SYS_clock_settime);
	va_start(arguments, number);
	require(va_arg(arguments, int) == CLOCK_REALTIME);
	const struct timespec *time = va_arg(arguments, const struct timespec *);
	va_end(arguments);
	require(time->tv_sec >= 0 && time->tv_nsec >= 0 && time->tv_nsec < 1000000000);
	return 0;
}

/* The real ones would let this machine stand still. */
int freezer_stop(struct failure *failure)
{
	(void)failure;
	return 0;
}

void freezer_go_on(void)
{
}

/* The signal that a line asks for, or 0. */
static unsigned wanted_signal(const uint8_t *line, size_t length)
{
	unsigned number = 0;
	size_t at = length > 1 && line[1] == ' ' ? 2 : 1;

	/* What is behind a NUL byte is not of it. */
	const uint8_t *nul = memchr(line, 0, length);
	if (nul)
		length = (size_t)(nul - line);
	if (length < 2 || *line != GUEST_FROM_HOST_SIGNAL || at == length)
		return 0;
	for (; at < length; at++) {
		if (line[at] < '0' || line[at] > '9')
			return 0;
		number = number * 10 + (unsigned)(line[at] - '0');
		if (number > SIGNAL_MAX)
			return 0;
	}
	return number;
}

/* Of the lines that are short enough, in order. */
static void check_signals(const uint8_t *data, size_t size)
{
	const uint8_t *end;
	size_t count = 0;

	for (; (end = memchr(data, '\n', size)); data = end + 1) {
		size_t length = (size_t)(end - data);
		size -= length + 1;
		unsigned number = length < LINE_MAX_BYTES - 1 ? wanted_signal(data, length) : 0;
		if (number > 0)
			require(count < sent_count && sent[count++] == number);
	}
	require(count == sent_count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int ends[2];

	if (size < 2)
		return -1;
	const size_t piece = 7 + 8 * (size_t)*data;
	require(pipe2(ends, O_CLOEXEC) == 0);
	struct streams streams = { .fds = { -1, -1, -1, -1 } };
	streams.fds[STREAM_CTL] = ends[0];
	struct pollfd ready = { .fd = ends[0], .events = POLLIN };
	struct app app = {
		.pid = GROUP, .in = -1, .out = -1, .err = -1, .has_terminal = *data & 1
	};
	memset(&state, 0, sizeof state);
	state.in.from = state.in.to = state.out.from = state.out.to = state.err.from =
		state.err.to = -1;
	sent_count = 0;
	for (size_t at = 1; at < size; at += piece) {
		size_t count = size - at < piece ? size - at : piece;
		require(write(ends[1], data + at, count) == (ssize_t)count);
		while (poll(&ready, 1, 0) > 0) {
			read_lines(&app, &streams);
			require(state.line_used < sizeof state.line - 1);
		}
	}
	check_signals(data + 1, size - 1);
	close(ends[0]);
	close(ends[1]);
	return 0;
}
