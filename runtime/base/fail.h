/*
 * Failures of the runtime: a stable code, what it comes from, and words for people, by which nothing
 * here goes. Everything below main.c returns them; only main.c prints.
 */
#ifndef BASE_FAIL_H
#define BASE_FAIL_H

#include <stdbool.h>
#include <stddef.h>

#include "generated/spec.h"

struct failure {
	enum fuselage_code code;
	enum fuselage_cause cause;
	int error; /* errno, or 0 */
	char text[1024]; /* "WHAT: what happened: expected X, found Y" */
};

/* What is known of a code, whatever it happened to. */
const struct fuselage_failure *failure_known(enum fuselage_code code);

/*
 * Records the failure and returns -1. The first one recorded stays until failure_clear. What the words have
 * of an image, a file or the caller is recorded as a terminal may show it (base/show.h).
 */
__attribute__((format(printf, 3, 4))) int fail(struct failure *failure, enum fuselage_code code,
					       const char *format, ...);
/* The same, with ": " and errno's words behind it. */
__attribute__((format(printf, 3, 4))) int
fail_errno(struct failure *failure, enum fuselage_code code, const char *format, ...);
/* The same failure as another one. */
int fail_as(struct failure *failure, const struct failure *other);
/* Says where the one that is recorded comes from, unless that is known already. Returns -1. */
int fail_cause(struct failure *failure, enum fuselage_cause cause);
void failure_clear(struct failure *failure);

/* From one process of ours to another that has just been started by it, or started it. */
int failure_send(int out, const struct failure *failure);
/* Returns false for what is no failure: an end, or anything else from a process that was taken over. */
bool failure_receive(int in, struct failure *failure);

#endif
