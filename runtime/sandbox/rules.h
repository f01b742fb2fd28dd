/*
 * What a sandbox allows: the rules of docs/sandbox.md, as one set. Rules come from a bundle's manifest (one a
 * record, words with blanks), and from command lines and variables (words with colons, rules with commas).
 */
#ifndef SANDBOX_RULES_H
#define SANDBOX_RULES_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fail.h"

/* Most of each kind that have a place. */
#define RULES_PATHS 64
#define RULES_PORTS 32
#define RULES_NAMES 16

enum rule_place {
	PLACE_PATH,
	PLACE_HOME,
	PLACE_CWD,
	PLACE_DOWNLOADS,
	PLACE_APP_DATA,
	PLACE_WORDS
};

struct rule_path {
	enum rule_place place;
	const char *path; /* of PLACE_PATH, with `length`; lasts as the text of the rule does */
	size_t length;
	bool write;
};

enum rule_word {
	/* net */
	RULE_NET_ALL,
	RULE_NET_UDP,
	/* devices */
	RULE_GPU,
	RULE_AUDIO,
	RULE_INPUT,
	/* ipc */
	RULE_X11,
	RULE_WAYLAND,
	/* exec */
	RULE_EXEC_OWN,
	RULE_EXEC_HOST,
	/* alone */
	RULE_DEBUG,
	RULE_USERNS,
	RULE_PID,
	RULE_NETNS,
	RULE_IPCNS,
	/* the buses as a whole: no rule, but what an app has that is only denied something */
	RULE_BUSES,
	/* what there is nothing of, for words that must not stand beside it */
	RULE_NET_NONE,
	RULE_DEVICES_NONE,
};

#define RULE_BIT(word) (1u << (word))

struct rules {
	uint32_t words; /* RULE_BIT of each */
	struct rule_path paths[RULES_PATHS];
	size_t path_count;
	uint16_t connect[RULES_PORTS];
	size_t connect_count;
	uint16_t listen[RULES_PORTS];
	size_t listen_count;
	const char *bus[RULES_NAMES]; /* names on the session's bus */
	size_t bus_lengths[RULES_NAMES];
	size_t bus_count;
};

static inline bool rules_have(const struct rules *rules, enum rule_word word)
{
	return rules->words & RULE_BIT(word);
}

/* Whether TCP is restricted to ports: neither all of it nor none. */
static inline bool rules_have_ports(const struct rules *rules)
{
	return rules->connect_count + rules->listen_count > 0;
}

/* Adds a rule of a manifest: words with one blank between them. `where` is for the failure's text. */
int rules_add_line(struct rules *rules, const char *where, const char *line,
		   struct failure *failure);

/* Adds a rule that is written with colons, of `length` bytes. */
int rules_add_short(struct rules *rules, const char *where, const char *text, size_t length,
		    struct failure *failure);

/* Takes away every rule that begins with the words of `text`, as in "net", "fs:home", "net:listen". */
int rules_deny(struct rules *rules, const char *where, const char *text, size_t length,
	       struct failure *failure);

/* What holds of all rules together. */
int rules_check(const struct rules *rules, const char *where, struct failure *failure);

#endif
