/* What the two halves of probe-files share. */
#pragma once

#include <sys/types.h>

/* Prints a line, with what is not printable ASCII as \xNN. */
__attribute__((format(printf, 1, 2))) void say(const char *format, ...);

/* "ok", or the name of errno. */
const char *answer(long result);

#define TRY(question, call) say("%s: %s", question, answer(call))

/* Answers about every file below `path`, which is "." at first; `device` is the one of that. */
void probe_tree(const char *path, dev_t device);
