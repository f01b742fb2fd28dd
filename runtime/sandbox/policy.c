#include "sandbox/policy.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/owned.h"
#include "generated/names.h"
#include "kernel/policy.h"
#include "kernel/trusted_path.h"
#include "libc/match.h"
#include "libc/sha256.h"

#define FILE_BYTES 16384
#define CHUNK_BYTES 8192u

/* One place, and what is read there. */
struct place {
	const char *path;
	const struct caller *owner; /* with root the only one who may have made what is there */
	struct policy_lines *lines;
	const struct bundle *bundle;
	bool is_system; /* the administrator's */
};

/* Whether the bundle is the file at `path`, and nobody but its owner and root can put another one there. */
static bool is_file(const struct bundle *bundle, char *path)
{
	struct stat own;

	return fstat(bundle->file, &own) == 0 && !(own.st_mode & (S_IWGRP | S_IWOTH)) &&
	       policy_is_named(path, &own);
}

/* A program that runs cannot be written to, so what was digested is what goes on. */
static bool has_digest(const struct bundle *bundle, const char *digest)
{
	char buffer[CHUNK_BYTES], text[SHA256_TEXT];
	struct sha256 hash;
	ssize_t n;

	sha256_init(&hash);
	for (uint64_t at = 0; (n = pread_full(bundle->file, buffer, sizeof buffer, at)) > 0;
	     at += (uint64_t)n)
		sha256_update(&hash, buffer, (size_t)n);
	sha256_text(&hash, text);
	return n == 0 && strcmp(text, digest) == 0;
}

/* What stands behind a word and blanks, or NULL. */
static char *behind(char *key, const char *word)
{
	size_t length = strlen(word);

	if (strncmp(key, word, length) != 0)
		return NULL;
	size_t blanks = strspn(key + length, " \t");
	return blanks ? key + length + blanks : NULL;
}

/* Returns 1 for a line about the bundle, 0 for one about others, -1 for a key that is none. */
static int is_about(const struct bundle *bundle, char *key)
{
	char *value;

	if (strcmp(key, "*") == 0)
		return 1;
	if ((value = behind(key, "name")))
		return path_matches(value, bundle->manifest.name);
	if ((value = behind(key, "file")) && *value == '/')
		return is_file(bundle, value);
	if ((value = behind(key, "sha256")) && strlen(value) == SHA256_TEXT - 1)
		return has_digest(bundle, value);
	return -1;
}

static int take_line(const struct place *place, const char *path, char *line,
		     struct failure *failure)
{
	struct policy_lines *lines = place->lines;
	char *words = strchr(line, '=');
	int about = -1;

	if (words) {
		*words = 0;
		words = policy_trim(words + 1);
		about = *words ? is_about(place->bundle, policy_trim(line)) : -1;
	}
	if (about == 0)
		return 0;
	if (words && strcmp(words, "off") == 0)
		lines->count = 0;
	if (about < 0 || lines->count == POLICY_LINES_MAX)
		return fail(failure, FUSELAGE_E_SANDBOX_POLICY,
			    "%.400s: \"%.80s\": expected *, name GLOB, file PATH or sha256 "
			    "HEX, = and words",
			    path, line);
	lines->list[lines->count++] = (struct policy_line){ place->path, words };
	return 0;
}

static int parse(const struct place *place, const char *path, char *text, struct failure *failure)
{
	char *line;

	while ((line = policy_line(&text)))
		if (take_line(place, path, line, failure) < 0)
			return -1;
	return 0;
}

int sandbox_policy_parse(struct policy_lines *lines, char *text, const struct bundle *bundle,
			 struct failure *failure)
{
	const struct place place = { .path = "", .lines = lines, .bundle = bundle };

	return parse(&place, "text", text, failure);
}

/* Reads a file whole: its text lasts, as lines lead into it. */
static int take_file(const struct place *place, int dir, const char *name, struct failure *failure)
{
	char path[PATH_MAX + NAME_MAX + 2], *text = malloc(FILE_BYTES);

	if (!text)
		return fail(failure, FUSELAGE_E_OUT_OF_MEMORY, "%.400s", place->path);
	snprintf(path, sizeof path, "%s/%s", place->path, name);
	return policy_text(dir, path, place->owner->uid, FUSELAGE_E_SANDBOX_POLICY, text,
			   FILE_BYTES, failure) < 0 ?
		       -1 :
		       parse(place, path, text, failure);
}

static bool is_policy(const char *name)
{
	const char *ending = strrchr(name, '.');

	return *name != '.' && ending && strcmp(ending, ".conf") == 0;
}

/* The name behind `name` in byte order, in its place. */
static bool next_name(int fd, char name[NAME_MAX + 1])
{
	DIR *dir = fdopendir(openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	const struct dirent *entry;
	char next[NAME_MAX + 1] = "";

	while (dir && (entry = readdir(dir)))
		if (is_policy(entry->d_name) && strcmp(entry->d_name, name) > 0 &&
		    (!*next || strcmp(entry->d_name, next) < 0))
			strcpy(next, entry->d_name);
	if (dir)
		closedir(dir);
	strcpy(name, next);
	return *next;
}

static int take_place(const struct place *place, struct failure *failure)
{
	char name[NAME_MAX + 1] = "";

	/*
	 * What a sandbox around this process hides, it has said already. A home that its user may not enter is that of
	 * another, whose variables came along with a change of users.
	 */
	if (access(place->path, R_OK) < 0 &&
	    (errno != EACCES || !place->is_system || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) > 0))
		return 0;
	OWNED_FD fd = trusted_open(AT_FDCWD, place->path, place->owner, TRUSTED_ANY,
				   FUSELAGE_E_SANDBOX_POLICY, failure);
	if (fd < 0)
		return -1;
	while (next_name(fd, name))
		if (take_file(place, fd, name, failure) < 0)
			return -1;
	return 0;
}

int sandbox_policy_read(struct sandbox_policy *policy, const struct bundle *bundle,
			const struct caller *caller, struct failure *failure)
{
	static const struct caller root;
	static char path[PATH_MAX];
	const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv(ENV_HOME);
	bool given = config && *config == '/';
	const struct place system = { SANDBOX_POLICIES, &root, &policy->system, bundle, true };
	const struct place user = { path, caller, &policy->user, bundle, false };

	snprintf(path, sizeof path, "%s%s" USER_SANDBOX_POLICIES,
		 given ? config :
		 home  ? home :
			 "",
		 given ? "/" : "/.config/");
	if (take_place(&system, failure) < 0)
		return -1;
	return caller->setuid || *path != '/' ? 0 : take_place(&user, failure);
}

const char *sandbox_policy_denial(const char *words)
{
	const char *behind = strstr(words, ",deny:");

	return strncmp(words, "deny:", 5) == 0 ? words : behind ? behind + 1 : NULL;
}

/* Whether words leave no choice to the user. No rule begins like these, and what a path holds errs to the safe side. */
static bool is_final(const char *words)
{
	return strncmp(words, "on", 2) == 0 || strncmp(words, "strict", 6) == 0 ||
	       strstr(words, "deny:");
}

/* The place of the last line, where that asks for a sandbox. */
static const char *last_demand(const struct policy_lines *lines)
{
	const struct policy_line *last = lines->list + lines->count;

	return lines->count && strcmp(last[-1].words, "off") != 0 ? last[-1].where : NULL;
}

const char *sandbox_policy_demands(const struct sandbox_policy *policy, const char *wanted)
{
	const struct policy_lines *system = &policy->system, *user = &policy->user;

	for (size_t i = 0; i < system->count; i++)
		if (is_final(system->list[i].words))
			return system->list[i].where;
	if (wanted && *wanted)
		return strcmp(wanted, "off") == 0 ? NULL : ENV_FUSELAGE_SANDBOX;
	return last_demand(user->count ? user : system);
}
