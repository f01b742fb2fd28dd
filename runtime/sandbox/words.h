/* Rules of a sandbox in plain words: scripts/spec/permissions.json. */
#ifndef SANDBOX_WORDS_H
#define SANDBOX_WORDS_H

#include <stdio.h>

/* Prints what a rule of a manifest allows, as in "connects to TCP port 443"; one that is not known as it stands. */
void sandbox_print_words(FILE *out, const char *rule);

#endif
