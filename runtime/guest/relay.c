#include "guest/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "guest/channel.h"
#include "guest/digits.h"
#include "guest/freezer.h"
#include "guest/machine.h"
#include "guest/volumes.h"

#define GRACE 50 /* ms, for what the app's children still have to say */
#define LAST 5000 /* ms, for what they had said before they were killed */
#define LINE_MAX_BYTES 1024
#define SIGNAL_MAX 64

static struct {
	struct channel in, out, err;
	uint64_t in_end; /* bytes after which stdin ends */
	char line[LINE_MAX_BYTES];
	size_t line_used;
	bool line_dropped; /* its beginning: it is too long */
	int signals;
	int memory; /* smaps_rollup of this process, open from the beginning: the app may cover /proc */
	uint64_t passed; /* signals of the host's that came while the app ran */
	int status;
	bool ended; /* the app */
	bool told; /* of that, the host */
	bool killed; /* all the others too */
	bool over; /* the time of these */
	unsigned long ended_at;
	bool flushing; /* what was written to volumes */
	bool late; /* that, and the host has been told */
	pid_t flush; /* the process that does it; 0: none, or it has ended */
} state;

static uint64_t input_left(void)
{
	return state.in_end - state.in.count - (state.in.used - state.in.sent);
}

/* A terminal has no end: its end of file is a character, and what reads it may read on. */
static void end_input(struct app *app)
{
	static const char end_of_file = 4; /* Ctrl-D */

	if (app->has_terminal)
		(void)!write(state.in.to, &end_of_file, 1);
	channel_close(&state.in.to);
}

static void pump_input(struct app *app, short from, short to)
{
	struct channel *in = &state.in;

	/* A port that is not connected any more has no more to say, and would be ready for ever. */
	if ((from & (POLLIN | POLLHUP)) == POLLHUP)
		state.in_end = in->count + (in->used - in->sent);
	if ((from & POLLIN) && !channel_has(in) && input_left() > 0)
		channel_fill(in, input_left());
	if (channel_has(in) && in->to >= 0 && (from || to) && !channel_drain(in))
		channel_close(&in->to);
	if (in->to < 0 && channel_has(in)) { /* it reads no more: the rest is taken and dropped */
		in->count += in->used - in->sent;
		in->used = in->sent = 0;
	}
	if (in->to >= 0 && !channel_has(in) && in->count >= state.in_end)
		end_input(app);
}

static void collect(struct app *app)
{
	struct signalfd_siginfo told;
	int status;
	pid_t child;

	while (read(state.signals, &told, sizeof told) == sizeof told) {
	}
	while ((child = waitpid(-1, &status, WNOHANG)) > 0) {
		if (child == state.flush)
			state.flush = 0;
		if (child != app->pid)
			continue;
		state.status = status;
		state.ended = true;
		state.ended_at = machine_uptime();
		channel_close(&state.in.to);
	}
}

static void pass_signal(struct app *app, int number)
{
	pid_t group = 0;
	bool of_terminal = number == SIGINT || number == SIGQUIT || number == SIGTSTP;

	collect(app); /* who has ended is sent none */
	if (state.ended)
		return;
	state.passed++;
	if (app->has_terminal && of_terminal && ioctl(app->out, TIOCGPGRP, &group) == 0 &&
	    group > 0 && kill(-group, number) == 0)
		return;
	if (kill(-app->pid, number) < 0)
		kill(app->pid, number);
}

static void set_window(struct app *app, const char *text)
{
	uint64_t rows, columns;

	if (!app->has_terminal || !digits_read(&text, UINT16_MAX, &rows) || *text != ' ' ||
	    !digits_are(text + 1, UINT16_MAX, &columns))
		return;
	struct winsize size = { .ws_row = (unsigned short)rows, .ws_col = (unsigned short)columns };
	ioctl(app->out, TIOCSWINSZ, &size);
}

/* What the app had printed by then is the host's too: else each restored machine would say it again. */
static void pause_app(const struct streams *streams)
{
	struct failure failure = { 0 };

	if (freezer_stop(&failure) == 0) {
		channel_empty(&state.out);
		channel_empty(&state.err);
	}
	report(streams, GUEST_TO_HOST_PAUSED, "%" PRIu64 " %" PRIu64 " %s", state.out.count,
	       state.err.count, failure.text);
}

static void obey(struct app *app, const struct streams *streams, const char *line)
{
	const char *rest = *line ? line + 1 + (line[1] == ' ') : line;
	uint64_t number;

	switch (*line) {
	case GUEST_FROM_HOST_INPUT_END:
		if (digits_are(rest, UINT64_MAX, &number))
			state.in_end = number;
		break;
	case GUEST_FROM_HOST_CLOSED:
		channel_stop(strcmp(rest, "err") == 0 ? &state.err : &state.out);
		break;
	case GUEST_FROM_HOST_SIGNAL:
		if (digits_are(rest, SIGNAL_MAX, &number) && number > 0)
			pass_signal(app, (int)number);
		break;
	case GUEST_FROM_HOST_WINDOW:
		set_window(app, rest);
		break;
	case GUEST_FROM_HOST_TIME:
		if (machine_set_clock(rest) < 0)
			report(streams, GUEST_TO_HOST_NOTICE, "the clock cannot be set: %s",
			       strerror(errno));
		break;
	case GUEST_FROM_HOST_SEED:
		if (machine_seed(rest) < 0)
			report(streams, GUEST_TO_HOST_NOTICE,
			       "the random generator cannot be seeded: %s", strerror(errno));
		break;
	case GUEST_FROM_HOST_PAUSE:
		pause_app(streams);
		break;
	case GUEST_FROM_HOST_GO_ON:
		freezer_go_on();
		break;
	case GUEST_FROM_HOST_RESTORED:
		state.in.count = state.out.count = state.err.count = 0;
		state.passed = 0;
		state.in_end = UINT64_MAX;
		break;
	default:
		break;
	}
}

/* One that is too long is no line of the host's, and is passed over up to its end. */
static void read_lines(struct app *app, const struct streams *streams)
{
	char *line = state.line, *end;
	ssize_t n = read(streams->fds[STREAM_CTL], line + state.line_used,
			 sizeof state.line - 1 - state.line_used);

	if (n <= 0)
		return;
	state.line_used += (size_t)n;
	state.line[state.line_used] = 0;
	for (; (end = memchr(line, '\n', state.line_used)); line = end + 1) {
		*end = 0;
		state.line_used -= (size_t)(end + 1 - line);
		if (!state.line_dropped)
			obey(app, streams, line);
		state.line_dropped = false;
	}
	memmove(state.line, line, state.line_used);
	if (state.line_used == sizeof state.line - 1) {
		state.line_used = 0;
		state.line_dropped = true;
	}
}

/* Whether there is output that is not at the host's yet. */
static bool has_output(void)
{
	return !state.ended || state.out.from >= 0 || state.err.from >= 0 ||
	       channel_has(&state.out) || channel_has(&state.err);
}

/*
 * Nobody writes any more when that begins. A process of its own does it: it takes as long as the host takes, and the
 * host is heard meanwhile.
 */
static bool is_running(void)
{
	if (has_output())
		return true;
	if (!state.flushing) {
		state.flushing = state.killed = true;
		kill(-1, SIGKILL);
		state.flush = volumes_flush();
		state.ended_at = machine_uptime();
	}
	return state.flush > 0;
}

static bool awaits(const struct channel *channel)
{
	return channel->from >= 0 && !channel_has(channel);
}

/*
 * The app has ended: its children may end in their own time, which is short. What is killed need not end: a control
 * group of version 1 freezes more than that, and so may a folder of the host's.
 */
static int time_left(const struct streams *streams)
{
	if (!state.ended)
		return -1;
	unsigned long passed = machine_uptime() - state.ended_at;
	if (!state.killed && passed < GRACE)
		return (int)(GRACE - passed);
	if (!state.killed) {
		state.killed = true;
		state.ended_at += passed;
		kill(-1, SIGKILL);
		return LAST;
	}
	if (passed < LAST)
		return (int)(LAST - passed);
	if (state.flushing && !state.late)
		report(streams, GUEST_TO_HOST_NOTICE,
		       "the app has ended, and the host has not yet taken what it wrote to "
		       "volumes");
	state.late = state.flushing;
	state.over = true;
	return awaits(&state.out) || awaits(&state.err) ? 0 : -1;
}

/* Whoever still holds the other end says no more. */
static void give_up(struct channel *channel, short from)
{
	if (state.over && awaits(channel) && !from)
		channel_close(&channel->from);
}

static void begin(const struct app *app, const struct streams *streams)
{
	const int *fds = streams->fds;

	state.in.from = fds[STREAM_IN];
	state.in.to = app->in;
	state.in_end = UINT64_MAX;
	state.out.from = app->out;
	state.out.to = fds[STREAM_OUT];
	state.err.from = app->err;
	state.err.to = fds[STREAM_ERR];
}

/* At once: from now on the host's signals are not the app's, and its output may be on its way for long. */
static void tell_end(const struct streams *streams)
{
	if (!state.ended || state.told)
		return;
	state.told = true;
	report(streams, GUEST_TO_HOST_ENDED, "%" PRIu64, state.passed);
}

/* Returns false when there is no host. */
static bool step(struct app *app, const struct streams *streams)
{
	bool wants_input = !channel_has(&state.in) && input_left() > 0;
	struct pollfd ready[] = {
		{ .fd = streams->fds[STREAM_CTL], .events = POLLIN },
		{ .fd = state.signals, .events = POLLIN },
		{ .fd = wants_input ? state.in.from : -1, .events = POLLIN },
		{ .fd = channel_has(&state.in) ? state.in.to : -1, .events = POLLOUT },
		{ .fd = channel_has(&state.out) ? -1 : state.out.from, .events = POLLIN },
		{ .fd = channel_has(&state.out) ? state.out.to : -1, .events = POLLOUT },
		{ .fd = channel_has(&state.err) ? -1 : state.err.from, .events = POLLIN },
		{ .fd = channel_has(&state.err) ? state.err.to : -1, .events = POLLOUT },
	};

	if (poll(ready, sizeof ready / sizeof *ready, time_left(streams)) < 0)
		return errno == EINTR;
	if (ready[0].revents & POLLIN)
		read_lines(app, streams);
	else if (ready[0].revents)
		return false;
	if (ready[1].revents)
		collect(app);
	tell_end(streams);
	pump_input(app, ready[2].revents, ready[3].revents);
	give_up(&state.out, ready[4].revents);
	give_up(&state.err, ready[6].revents);
	channel_pump(&state.out, ready[4].revents, ready[5].revents);
	channel_pump(&state.err, ready[6].revents, ready[7].revents);
	return true;
}

/*
 * The largest that it has been, in KiB. The kernel counts the pages of a process 64 at a time, which is as many as these
 * are; what it has now is counted page by page in smaps_rollup, and it gives none back.
 */
static long resident(void)
{
	struct rusage usage = { 0 };
	char text[512] = { 0 };

	syscall(SYS_getrusage, RUSAGE_SELF, &usage);
	ssize_t size = read(state.memory, text, sizeof text - 1);
	const char *now = size > 0 ? strstr(text, "\nRss:") : NULL;
	long counted = now ? strtol(now + 5, NULL, 10) : 0;
	return counted > usage.ru_maxrss ? counted : usage.ru_maxrss;
}

int relay(struct app *app, const struct streams *streams)
{
	sigset_t all;

	begin(app, streams);
	sigfillset(&all);
	state.signals = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
	collect(app); /* whatever ended before there was one */
	state.memory = open("/proc/self/smaps_rollup", O_RDONLY | O_CLOEXEC);
	while (is_running())
		if (!step(app, streams))
			return -1;
	report(streams, GUEST_TO_HOST_DONE, "%" PRIu64 " %" PRIu64, state.out.count,
	       state.err.count);
	report(streams, GUEST_TO_HOST_EXIT, "%d %ld", state.status, resident());
	return state.status;
}

void relay_wait(const struct streams *streams)
{
	struct pollfd host = { .fd = streams->fds[STREAM_CTL], .events = POLLIN };
	char dropped[64];

	while (host.fd >= 0 && (poll(&host, 1, -1) > 0 || errno == EINTR)) {
		if (host.revents & POLLIN)
			(void)!read(host.fd, dropped, sizeof dropped);
		else if (host.revents)
			return;
	}
}
