#include "start/fence.h"

#include <stdlib.h>
#include <string.h>

#include "base/owned.h"
#include "generated/names.h"
#include "kernel/privileges.h"
#include "sandbox/policy.h"
#include "sandbox/sandbox.h"
#include "start/exec.h"

/* What lines leave no choice about is said again behind the user. */
static int say_lines(struct sandbox *sandbox, const struct policy_lines *lines,
		     struct failure *failure)
{
	for (size_t i = 0; i < lines->count; i++)
		if (sandbox_say(sandbox, lines->list[i].where, lines->list[i].words, failure) < 0)
			return -1;
	return 0;
}

static int say_finals(struct sandbox *sandbox, const struct policy_lines *lines,
		      struct failure *failure)
{
	for (size_t i = 0; i < lines->count; i++) {
		const char *words = lines->list[i].words, *deny = sandbox_policy_denial(words);
		enum sandbox_mode least = sandbox_mode_of(words);
		if (least > sandbox->mode)
			sandbox->mode = least;
		if (deny && sandbox_say(sandbox, lines->list[i].where, deny, failure) < 0)
			return -1;
	}
	return 0;
}

/* The last word is the administrator's where that forbids something, else the user's. */
static int say(struct sandbox *sandbox, const struct start *start, const struct bundle *bundle,
	       struct failure *failure)
{
	static struct sandbox_policy policy;
	const char *line = start->invocation.sandbox;
	const char *word = getenv(ENV_FUSELAGE_SANDBOX);

	if (bundle && sandbox_policy_read(&policy, bundle, &start->identity.caller, failure) < 0)
		return -1;
	if (line)
		sandbox->mode = SANDBOX_ON;
	if ((line && *line && sandbox_say(sandbox, "--sandbox", line, failure) < 0) ||
	    say_lines(sandbox, &policy.system, failure) < 0 ||
	    say_lines(sandbox, &policy.user, failure) < 0 ||
	    (word && *word && sandbox_say(sandbox, ENV_FUSELAGE_SANDBOX, word, failure) < 0) ||
	    say_finals(sandbox, &policy.system, failure) < 0)
		return -1;
	return sandbox_decide(sandbox, "sandbox", failure);
}

int fence_choose(struct start *start, const struct bundle *bundle, struct failure *failure)
{
	static struct sandbox sandbox;
	const struct text_list *declared = bundle ? &bundle->manifest.sandbox : NULL;

	sandbox = (struct sandbox){ .mode = SANDBOX_OFF };
	if (declared && declared->count > 0 &&
	    sandbox_declare(&sandbox, bundle->path, declared->texts, failure) < 0)
		return -1;
	if (say(&sandbox, start, bundle, failure) < 0)
		return -1;
	if (sandbox.mode == SANDBOX_OFF)
		return 0;
	if (session_read(&sandbox.session) < 0)
		return fail(failure, FUSELAGE_E_OUT_OF_MEMORY, "variables of the session");
	/* Nothing that the caller chooses is mounted or resolved by root. */
	if (privileges_forget(&start->identity.caller, failure) < 0)
		return -1;
	start->sandbox = &sandbox;
	return 0;
}

/* "#!/bin/sh -e" or a path: the path. NULL for none. */
static char *path_of(const char *interpreter)
{
	const char *at = interpreter;

	if (at[0] == '#' && at[1] == '!')
		at += 2 + strspn(at + 2, " \t");
	return *at == '/' ? strndup(at, strcspn(at, " \t\r\n")) : NULL;
}

/* What else a path was refused for is in the failure of a strategy; this one was chosen. */
static const char *refusal_of(const struct start *start)
{
	const struct mounting *mounting = &start->mounting;
	bool chosen = mounting->on_host || strcmp(mounting->type, "fusermount") == 0;

	return chosen || mounting->refusal.code == FUSELAGE_OK ? NULL : mounting->refusal.text;
}

static const char *name_of(const struct start *start)
{
	return start->invocation.count > 0 ? start->invocation.archives[0].name : NULL;
}

/* Whether folders of the archives are at paths of the machine's. */
static bool covers_machine(const struct invocation *invocation)
{
	for (size_t i = 0; i < invocation->map_count; i++)
		if (!invocation->maps[i].left_out)
			return true;
	return false;
}

int fence_enter(const struct start *start, const char *program, struct failure *failure)
{
	const struct invocation *invocation = &start->invocation;
	bool on_host = start->identity.kind == NAMESPACE_NONE;
	size_t count = invocation->count, images = 0, scratch = 0, known = 0;
	char temporary[PATH_MAX + 8];
	OWNED const char **read = calloc(count + invocation->map_count + 1, sizeof *read);
	OWNED const char **write = calloc(count + 2, sizeof *write);
	OWNED const char **files = calloc(count + 1, sizeof *files);
	OWNED char *interpreter = program ? path_of(interpreter_of(program)) : NULL;

	if (!read || !write || !files)
		return fail(failure, FUSELAGE_E_OUT_OF_MEMORY, "paths of the sandbox");
	snprintf(temporary, sizeof temporary, "%s/tmp", start->procdir.path);
	write[scratch++] = temporary;
	for (size_t i = 0; i < count; i++) {
		const struct archive *archive = &invocation->archives[i];
		if (archive->file)
			files[known++] = archive->file;
		if (archive->use == ARCHIVE_STATIC)
			read[images++] = archive->target;
		else
			write[scratch++] = archive->target;
	}
	for (size_t i = 0; i < invocation->map_count; i++)
		if (!invocation->maps[i].left_out)
			read[images++] = invocation->maps[i].place;
	const struct sandbox_start fenced = {
		.identity = &start->identity,
		.name = name_of(start),
		.images = read,
		.scratch = write,
		.files = files,
		/* On the host the directories of other starts stand beside it. */
		.directory = on_host ? start->procdir.path : start->procdir.base,
		.memory = on_host ? NULL : start->procdir.path,
		.program = program,
		.interpreter = interpreter,
		.own = program != NULL,
		.covered = covers_machine(invocation),
		.refusal = refusal_of(start),
	};
	return sandbox_enter(start->sandbox, &fenced, failure);
}

void fence_report(const struct start *start, FILE *out)
{
	const struct sandbox_start fenced = {
		.identity = &start->identity,
		.name = name_of(start),
		.own = start->is_bundle || start->invocation.run,
		.covered = covers_machine(&start->invocation),
		.inside = start->root != NULL,
		.refusal = refusal_of(start),
	};

	if (start->sandbox)
		sandbox_report(start->sandbox, &fenced, out);
	else
		sandbox_report_none(&fenced, out);
}
