#include "base/fail.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/show.h"
#include "flavour/flavour.h"

static void record(struct failure *failure, enum fuselage_code code, const char *format,
		   va_list arguments)
{
	char text[sizeof failure->text];

	failure->code = code;
	failure->cause = FUSELAGE_CAUSE_NONE;
	failure->error = 0;
	vsnprintf(text, sizeof text, format, arguments);
	show_text(failure->text, sizeof failure->text, text);
}

int fail(struct failure *failure, enum fuselage_code code, const char *format, ...)
{
	va_list arguments;

	if (failure->code == FUSELAGE_OK) {
		va_start(arguments, format);
		record(failure, code, format, arguments);
		va_end(arguments);
	}
	return -1;
}

/* The limit of this process that `error` tells of: the letter that ulimit has for it, or 0. */
static char limit_of(int error)
{
	static const struct {
		unsigned char error, resource;
		char letter;
	} limits[] = {
		{ EMFILE, RLIMIT_NOFILE, 'n' }, { EFBIG, RLIMIT_FSIZE, 'f' },
		{ EAGAIN, RLIMIT_NPROC, 'u' },	{ ENOMEM, RLIMIT_AS, 'v' },
		{ ENOMEM, RLIMIT_DATA, 'd' },
	};
	struct rlimit limit;

	for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
		if (limits[i].error == error && getrlimit(limits[i].resource, &limit) == 0 &&
		    limit.rlim_cur != RLIM_INFINITY)
			return limits[i].letter;
	return 0;
}

int fail_errno(struct failure *failure, enum fuselage_code code, const char *format, ...)
{
	int error = errno;
	char limit = limit_of(error);
	va_list arguments;

	if (failure->code == FUSELAGE_OK) {
		va_start(arguments, format);
		record(failure, limit ? FUSELAGE_E_LIMIT : code, format, arguments);
		va_end(arguments);
		failure->error = error;
		size_t used = strlen(failure->text);
		snprintf(failure->text + used, sizeof failure->text - used,
			 limit ? ": %s (ulimit -%c)" : ": %s", strerror(error), limit);
	}
	errno = error;
	return -1;
}

const struct fuselage_failure *failure_known(enum fuselage_code code)
{
	if (flavour_is_runner && code >= FUSELAGE_RUNNER_CODE)
		return &fuselage_runner_failures[code - FUSELAGE_RUNNER_CODE];
	return &fuselage_failures[code];
}

int fail_as(struct failure *failure, const struct failure *other)
{
	if (failure->code == FUSELAGE_OK)
		*failure = *other;
	return -1;
}

int fail_cause(struct failure *failure, enum fuselage_cause cause)
{
	if (failure->cause == FUSELAGE_CAUSE_NONE)
		failure->cause = cause;
	return -1;
}

int failure_send(int out, const struct failure *failure)
{
	return write_full(out, failure, sizeof *failure);
}

bool failure_receive(int in, struct failure *failure)
{
	bool whole = read(in, failure, sizeof *failure) == sizeof *failure &&
		     failure->code > FUSELAGE_OK && failure->code < FUSELAGE_CODE_COUNT &&
		     failure->cause < FUSELAGE_CAUSE_COUNT;

	failure->text[sizeof failure->text - 1] = 0;
	return whole;
}

void failure_clear(struct failure *failure)
{
	*failure = (struct failure){ 0 };
}
