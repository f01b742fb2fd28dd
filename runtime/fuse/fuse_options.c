#include "fuse/fuse_options.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "flavour/flavour.h"
#include "fuse/session.h"
#include "generated/names.h"

#define CACHE_DEFAULT (16ull << 20)
#define CACHE_LEAST (1ull << 20)
#define CACHE_MOST (1ull << 40)

enum word {
	WORD_CACHE, /* the only one for a server alone */
	WORD_UID,
	WORD_GID,
	WORD_ALLOW_OTHER,
	WORD_AUTO_UNMOUNT,
	WORD_NOEXEC,
	WORD_EXEC,
	WORD_SUID,
	WORD_SET_ID, /* the same: mount(8) keeps "suid" to itself */
	WORD_NOSUID,
	WORD_DEV,
	WORD_DEVICES,
	WORD_NODEV,
	WORD_THREADS,
	WORD_CONTEXT, /* and three more, of security modules */
	WORD_FSCONTEXT,
	WORD_DEFCONTEXT,
	WORD_ROOTCONTEXT,
	WORD_RO, /* what every mount of ours is; said by habit and by /etc/fstab */
	WORD_DEFAULTS,
	WORD_COUNT,
};

static const char *const words[WORD_COUNT] = {
	"cache=",     "uid=",	     "gid=",	     "allow_other", "auto_unmount",
	"noexec",     "exec",	     "suid",	     "set-id",	    "nosuid",
	"dev",	      "devices",     "nodev",	     "threads=",    "context=",
	"fscontext=", "defcontext=", "rootcontext=", "ro",	    "defaults",
};

/* What other readers of /etc/fstab are told there: mount(8), systemd, desktops. */
static const char *const of_others[] = {
	"auto", "noauto", "nofail", "_netdev", "user", "nouser", "users", "owner", "group",
};

/* One word of the list, as it stands there. */
struct token {
	const char *where;
	const char *text;
	size_t length;
	const char *value; /* behind "=" */
};

static int refuse(const struct token *token, const char *expected, struct failure *failure)
{
	return fail(failure, FUSELAGE_E_FUSE_OPTION, "%s: \"%.*s\": expected %s", token->where,
		    token->length < 80 ? (int)token->length : 80, token->text, expected);
}

bool fuse_parse_number(const char *text, const char *last, bool size, uint64_t least, uint64_t most,
		       uint64_t *value)
{
	static const char units[] = "KMG";
	char *end;

	errno = 0;
	*value = strtoull(text, &end, 10);
	const char *unit = size && end < last ? strchr(units, *end) : NULL;
	if (unit) {
		int shift = 10 * (int)(unit - units + 1);
		*value = *value <= most >> shift ? *value << shift : UINT64_MAX;
		end++;
	}
	return *text >= '0' && *text <= '9' && !errno && end == last && *value >= least &&
	       *value <= most;
}

/* A number behind "=". */
static bool parse_number(const struct token *token, bool size, uint64_t least, uint64_t most,
			 uint64_t *value)
{
	return fuse_parse_number(token->value, token->text + token->length, size, least, most,
				 value);
}

static enum word find_word(struct token *token)
{
	for (unsigned i = 0; i < WORD_COUNT; i++) {
		size_t length = strlen(words[i]);
		bool value = words[i][length - 1] == '=';
		if (token->length < length || (!value && token->length > length) ||
		    memcmp(token->text, words[i], length) != 0)
			continue;
		token->value = token->text + length;
		return (enum word)i;
	}
	return WORD_COUNT;
}

static bool is_of_others(const struct token *token)
{
	static const char prefix[] = "x-";

	if (token->length > 2 && memcmp(token->text, prefix, 2) == 0)
		return true;
	for (size_t i = 0; i < sizeof of_others / sizeof *of_others; i++)
		if (token->length == strlen(of_others[i]) &&
		    memcmp(token->text, of_others[i], token->length) == 0)
			return true;
	return false;
}

static int add_context(struct fuse_options *options, const struct token *token,
		       struct failure *failure)
{
	size_t there = strlen(options->contexts);

	if (token->value == token->text + token->length)
		return refuse(token, "a context", failure);
	if (there + 1 + token->length >= sizeof options->contexts)
		return refuse(token, "contexts of less than 512 bytes", failure);
	if (there)
		options->contexts[there++] = ',';
	memcpy(options->contexts + there, token->text, token->length);
	options->contexts[there + token->length] = 0;
	return 0;
}

static int apply(struct fuse_options *options, struct token *token, struct failure *failure)
{
	enum word word = find_word(token);
	uint64_t value;

	/* The program at the front of a bundle takes no -o. */
	if ((!flavour_is_runner || strcmp(token->where, ENV_FUSELAGE_FUSE) == 0) &&
	    word != WORD_CACHE)
		return refuse(token, "cache=SIZE", failure);
	if (flavour_is_runner && word == WORD_COUNT && is_of_others(token))
		return 0;
	switch (word) {
	case WORD_CACHE:
		if (!parse_number(token, true, CACHE_LEAST, CACHE_MOST, &value))
			return refuse(token, "cache=SIZE of 1M to 1024G", failure);
		options->cache_bytes = (size_t)value;
		return 0;
	case WORD_UID:
	case WORD_GID:
		/* The last one means "none" to the kernel. */
		if (!parse_number(token, false, 0, UINT32_MAX - 1, &value))
			return refuse(token, "a number of 0 to 4294967294", failure);
		*(word == WORD_UID ? &options->uid : &options->gid) = (uint32_t)value;
		return 0;
	case WORD_ALLOW_OTHER:
		options->allow_other = true;
		return 0;
	case WORD_AUTO_UNMOUNT:
		options->auto_unmount = true;
		return 0;
	case WORD_NOEXEC:
	case WORD_EXEC:
		options->noexec = word == WORD_NOEXEC;
		return 0;
	case WORD_SUID:
	case WORD_SET_ID:
	case WORD_NOSUID:
		options->suid = word != WORD_NOSUID;
		return 0;
	case WORD_DEV:
	case WORD_DEVICES:
	case WORD_NODEV:
		options->dev = word != WORD_NODEV;
		return 0;
	case WORD_THREADS:
		if (!parse_number(token, false, 1, FUSE_THREADS_MAX, &value))
			return refuse(token, "threads=N of 1 to 64", failure);
		options->threads = (unsigned)value;
		return 0;
	case WORD_CONTEXT:
	case WORD_FSCONTEXT:
	case WORD_DEFCONTEXT:
	case WORD_ROOTCONTEXT:
		return add_context(options, token, failure);
	case WORD_RO:
	case WORD_DEFAULTS:
		return 0;
	case WORD_COUNT:
		break;
	}
	return refuse(token,
		      "cache=SIZE, threads=N, uid=N, gid=N, allow_other, auto_unmount, suid, dev, "
		      "noexec, context=, fscontext=, defcontext=, rootcontext= or ro",
		      failure);
}

size_t fuse_option_length(const char *text)
{
	bool quoted = false;
	size_t n = 0;

	for (; text[n] && (quoted || text[n] != ','); n++)
		quoted ^= text[n] == '"';
	return n;
}

void fuse_options_init(struct fuse_options *options)
{
	*options = (struct fuse_options){
		.cache_bytes = CACHE_DEFAULT,
		.uid = (uid_t)-1,
		.gid = (gid_t)-1,
	};
}

int fuse_options_parse(struct fuse_options *options, const char *where, const char *text,
		       struct failure *failure)
{
	while (text && *text) {
		struct token token = { where, text, fuse_option_length(text), NULL };
		if (apply(options, &token, failure) < 0)
			return -1;
		text += token.length + (text[token.length] == ',');
	}
	return 0;
}
