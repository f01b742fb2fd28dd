/*
 * Failures of the runtime: a stable code and the words that go with it. Everything below main.c
 * returns them; only main.c prints.
 */
#ifndef BASE_FAIL_H
#define BASE_FAIL_H

#include <stddef.h>

#include "generated/spec.h"

struct failure {
	enum fuselage_code code;
	char text[1024]; /* "WHAT: what happened: expected X, found Y" */
};

/* Records the failure and returns -1. The first one recorded stays until failure_clear. */
__attribute__((format(printf, 3, 4))) int fail(struct failure *failure, enum fuselage_code code,
					       const char *format, ...);
/* The same, with ": " and errno's words behind it. */
__attribute__((format(printf, 3, 4))) int
fail_errno(struct failure *failure, enum fuselage_code code, const char *format, ...);
void failure_clear(struct failure *failure);

#endif
