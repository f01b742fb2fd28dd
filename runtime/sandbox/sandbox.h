/*
 * A start that is fenced in, by this process itself just before it becomes the app: there is no daemon and no set-id
 * program, and no process beside it but for names on the bus. The order is forced:
 *
 *   choose     declared rules, and what the user says of them (choose.c)
 *   namespaces what the rules ask for, and a mount namespace where the start has none (enter.c)
 *   bus        a proxy for the names of it that rules let through (bus.c)
 *   grants     which paths that allows here (grants.c, places.c)
 *   views      private directories over those where users meet, what is allowed put back in (views.c)
 *   no_new_privs, capabilities, descriptors, Landlock, filter of system calls (seal.c)
 *   exec
 *
 * Landlock forbids every mount for ever, so it comes behind the views; the filter forbids what the steps before it
 * call, so it comes last. docs/sandbox.md says what each wall keeps out, and what none does.
 */
#ifndef SANDBOX_SANDBOX_H
#define SANDBOX_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/fail.h"
#include "kernel/identity.h"
#include "sandbox/rules.h"
#include "sandbox/session.h"

enum sandbox_mode {
	SANDBOX_OFF,
	SANDBOX_ON, /* as well as it can be had */
	SANDBOX_STRICT, /* as a whole, or no start */
};

/* First words of rules that are taken away, whoever has allowed them. */
struct denial {
	const char *where;
	const char *text; /* lasts until the sandbox is entered */
	size_t length;
};

#define DENIALS_MAX 64

struct sandbox {
	enum sandbox_mode mode;
	struct denial denials[DENIALS_MAX];
	size_t denial_count;
	struct rules rules;
	struct session session;
	bool declared; /* by the bundle, or on the command line: else rules are the default ones */
};

/* What a start has to tell of itself. Paths are absolute and real; lists end with NULL. */
struct sandbox_start {
	const struct identity *identity;
	const char *name; /* of the app, for app-data; or NULL: there is none */
	const char *const *images; /* roots of what can only be read and executed */
	const char *const *scratch; /* of what can be written to as well */
	const char *directory; /* of this start, to be kept where it is */
	const char *memory; /* the same, in memory that ends with it; or NULL */
	const char *const *files; /* as given, beside this program's own: archives */
	const char *program; /* what is executed, where it is known; or NULL */
	const char *interpreter; /* what that names in its first line or PT_INTERP, or NULL */
	bool own; /* the program is of an image: `exec own` without a rule of exec */
	bool covered; /* folders of the bundle are mounted over the machine's own */
	bool inside; /* its root directory is the image (inside.h) */
	const char *refusal; /* why there are no namespaces here, or NULL */
};

/* Takes what a bundle declares: NULL-terminated rules, at least one. */
int sandbox_declare(struct sandbox *sandbox, const char *where, const char *const *lines,
		    struct failure *failure);

/*
 * Takes a word on top of that: of a command line, a policy or the user. "off", "on", "strict", rules, which take the
 * place of those before, and "deny:" with the first words of rules, which takes some away: "strict,deny:net,fs:home".
 * "off" and rules end what was denied before, too.
 */
int sandbox_say(struct sandbox *sandbox, const char *where, const char *text,
		struct failure *failure);

/* What words ask for by their first one, if that is "on" or "strict"; else SANDBOX_OFF. */
enum sandbox_mode sandbox_mode_of(const char *text);

/* Everything is said. */
int sandbox_decide(struct sandbox *sandbox, const char *where, struct failure *failure);

/* The last step before exec. With `pid` it returns in another process. */
int sandbox_enter(const struct sandbox *sandbox, const struct sandbox_start *start,
		  struct failure *failure);

/* Says of each thing that is declared whether it is enforced here and by what: lines for the doctor. */
void sandbox_report(const struct sandbox *sandbox, const struct sandbox_start *start, FILE *out);

/* The same where there is no sandbox: what one could be made of. */
void sandbox_report_none(const struct sandbox_start *start, FILE *out);

#endif
