/*
 * The policy of sandboxes: what an administrator and the user say of those of starts. It is in files of
 * /etc/fuselage/sandbox.d and of ~/.config/fuselage/sandbox.d whose names end in .conf, in byte order of these. One
 * setting a line, # begins a comment:
 *
 *   name GLOB = WORDS      bundles that call themselves so
 *   file PATH = WORDS      the file that is at PATH, where only its owner and root can put one
 *   sha256 HEX = WORDS     the file with this digest, wherever it is
 *   * = WORDS              all bundles
 *
 * WORDS are those of FUSELAGE_SANDBOX. All lines that are about a bundle count, in order; "off" takes away what lines
 * of the same place said before. The program at the front of bundles reads them too: it has no sandbox, and refuses
 * where one is wanted.
 */
#ifndef SANDBOX_POLICY_H
#define SANDBOX_POLICY_H

#include "bundle/bundle.h"
#include "kernel/privileges.h"

#define POLICY_LINES_MAX 64

struct policy_line {
	const char *where; /* the directory of the file that it stands in */
	const char *words;
};

/* What one place says of a bundle. */
struct policy_lines {
	struct policy_line list[POLICY_LINES_MAX];
	size_t count;
};

struct sandbox_policy {
	struct policy_lines system; /* of /etc */
	struct policy_lines user;
};

/*
 * Reads what there is. A file that others than root and, of the user's, the user can write to is an error, and so is a
 * line that is not understood: what it forbids would be allowed in silence. With rights of a set-id program only /etc
 * counts. What lines say lasts until exec.
 */
int sandbox_policy_read(struct sandbox_policy *policy, const struct bundle *bundle,
			const struct caller *caller, struct failure *failure);

/* Takes the lines of one text, which they lead into. */
int sandbox_policy_parse(struct policy_lines *lines, char *text, const struct bundle *bundle,
			 struct failure *failure);

/*
 * Whether a bundle that declares nothing is to be in a sandbox: `wanted` is the caller's FUSELAGE_SANDBOX, or NULL.
 * Returns the place that says so, or NULL.
 */
const char *sandbox_policy_demands(const struct sandbox_policy *policy, const char *wanted);

/* Where words begin to deny something, or NULL. */
const char *sandbox_policy_denial(const char *words);

#endif
