#include "base/fail.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void record(struct failure *failure, enum fuselage_code code, const char *format,
		   va_list arguments)
{
	failure->code = code;
	vsnprintf(failure->text, sizeof failure->text, format, arguments);
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

int fail_errno(struct failure *failure, enum fuselage_code code, const char *format, ...)
{
	int error = errno;
	va_list arguments;

	if (failure->code == FUSELAGE_OK) {
		va_start(arguments, format);
		record(failure, code, format, arguments);
		va_end(arguments);
		size_t used = strlen(failure->text);
		snprintf(failure->text + used, sizeof failure->text - used, ": %s",
			 strerror(error));
	}
	errno = error;
	return -1;
}

void failure_clear(struct failure *failure)
{
	failure->code = FUSELAGE_OK;
	failure->text[0] = 0;
}
