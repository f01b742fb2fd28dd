#include "fuse/fuse_options.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "generated/names.h"

#define CACHE_DEFAULT (16ull << 20)
#define CACHE_LEAST (1ull << 20)
#define CACHE_MOST (1ull << 40)

enum word {
	WORD_CACHE, /* the only one for a server alone */
	WORD_UID,
	WORD_GID,
	WORD_ALLOW_OTHER,
	WORD_NOEXEC,
	WORD_EXEC,
	WORD_RO, /* what every mount of ours is; said by habit and by /etc/fstab */
	WORD_NOSUID,
	WORD_NODEV,
	WORD_COUNT,
};

static const char *const words[WORD_COUNT] = {
	"cache=", "uid=", "gid=", "allow_other", "noexec", "exec", "ro", "nosuid", "nodev",
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

static int apply(struct fuse_options *options, struct token *token, struct failure *failure)
{
	enum word word = find_word(token);
	uint64_t value;

	if (strcmp(token->where, ENV_FUSELAGE_FUSE) == 0 && word != WORD_CACHE)
		return refuse(token, "cache=SIZE", failure);
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
	case WORD_NOEXEC:
	case WORD_EXEC:
		options->noexec = word == WORD_NOEXEC;
		return 0;
	case WORD_RO:
	case WORD_NOSUID:
	case WORD_NODEV:
		return 0;
	case WORD_COUNT:
		break;
	}
	return refuse(token,
		      "cache=SIZE, uid=N, gid=N, allow_other, noexec, exec, ro, nosuid or nodev",
		      failure);
}

void fuse_options_init(struct fuse_options *options)
{
	*options = (struct fuse_options){ CACHE_DEFAULT, (uid_t)-1, (gid_t)-1, false, false };
}

int fuse_options_parse(struct fuse_options *options, const char *where, const char *text,
		       struct failure *failure)
{
	while (text && *text) {
		struct token token = { where, text, strcspn(text, ","), NULL };
		if (apply(options, &token, failure) < 0)
			return -1;
		text += token.length + (text[token.length] == ',');
	}
	return 0;
}
