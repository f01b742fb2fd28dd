/* What a start is to be fenced in by: what is declared, then the words of others, the last one the user's. */
#include "sandbox/sandbox.h"

#include <string.h>

#define DENY "deny:"

/* Without a rule that anybody gave. */
static const char *const usual[] = { "fs cwd rw", NULL };

/* Of an app that declares nothing, but is denied something: it has all the rest. */
static const char *const everything[] = {
	"fs / rw",	 "net all", "devices gpu", "devices audio",
	"devices input", "ipc x11", "ipc wayland", "exec host",
	"debug",	 "userns",  NULL,
};

static bool is(const char *text, size_t length, const char *word)
{
	return strlen(word) == length && memcmp(text, word, length) == 0;
}

static int add_lines(struct rules *rules, const char *where, const char *const *lines,
		     struct failure *failure)
{
	for (; *lines; lines++)
		if (rules_add_line(rules, where, *lines, failure) < 0)
			return -1;
	return 0;
}

int sandbox_declare(struct sandbox *sandbox, const char *where, const char *const *lines,
		    struct failure *failure)
{
	sandbox->mode = SANDBOX_ON;
	sandbox->declared = true;
	return add_lines(&sandbox->rules, where, lines, failure) < 0 ||
			       rules_check(&sandbox->rules, where, failure) < 0 ?
		       -1 :
		       0;
}

/* Returns whether it is one. */
static bool take_mode(struct sandbox *sandbox, const char *text, size_t length)
{
	static const struct {
		const char *word;
		enum sandbox_mode mode;
	} modes[] = { { "off", SANDBOX_OFF }, { "on", SANDBOX_ON }, { "strict", SANDBOX_STRICT } };

	for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
		if (is(text, length, modes[i].word)) {
			sandbox->mode = modes[i].mode;
			if (sandbox->mode == SANDBOX_OFF)
				sandbox->denial_count = 0;
			return true;
		}
	return false;
}

/* Taken from what is allowed when everything is said: a word behind it may allow more than there is now. */
static int deny(struct sandbox *sandbox, const char *where, const char *text, size_t length,
		struct failure *failure)
{
	struct rules scratch = { 0 };

	if (sandbox->denial_count == DENIALS_MAX)
		return fail(failure, FUSELAGE_E_SANDBOX_RULE,
			    "%.300s: more than %d rules are denied", where, DENIALS_MAX);
	sandbox->denials[sandbox->denial_count++] = (struct denial){ where, text, length };
	return rules_deny(&scratch, where, text, length, failure);
}

/* The first rule of a text takes the place of all that was declared. */
static int add(struct sandbox *sandbox, const char *where, const char *text, size_t length,
	       bool *fresh, struct failure *failure)
{
	if (*fresh) {
		sandbox->rules = (struct rules){ 0 };
		sandbox->denial_count = 0;
	}
	*fresh = false;
	sandbox->declared = true;
	if (sandbox->mode == SANDBOX_OFF)
		sandbox->mode = SANDBOX_ON;
	return rules_add_short(&sandbox->rules, where, text, length, failure);
}

enum sandbox_mode sandbox_mode_of(const char *text)
{
	struct sandbox sandbox = { .mode = SANDBOX_OFF };

	take_mode(&sandbox, text, strcspn(text, ","));
	return sandbox.mode;
}

int sandbox_say(struct sandbox *sandbox, const char *where, const char *text,
		struct failure *failure)
{
	bool denies = false, fresh = true, first = true;

	for (;;) {
		size_t length = strcspn(text, ",");
		bool more = text[length] == ',';
		if (!denies && strncmp(text, DENY, sizeof DENY - 1) == 0) {
			denies = true;
			text += sizeof DENY - 1;
			length -= sizeof DENY - 1;
		}
		if (first && !denies && is(text, length, "off") && more)
			return fail(failure, FUSELAGE_E_SANDBOX_RULE,
				    "%.80s=%.200s: nothing stands beside off", where, text);
		if (first && !denies && take_mode(sandbox, text, length))
			;
		else if ((denies ? deny(sandbox, where, text, length, failure) :
				   add(sandbox, where, text, length, &fresh, failure)) < 0)
			return -1;
		if (!more)
			break;
		text += length + 1;
		first = false;
	}
	return rules_check(&sandbox->rules, where, failure);
}

int sandbox_decide(struct sandbox *sandbox, const char *where, struct failure *failure)
{
	bool off = sandbox->mode == SANDBOX_OFF;

	if (off && sandbox->denial_count == 0)
		return 0;
	sandbox->mode = off ? SANDBOX_ON : sandbox->mode;
	if (!sandbox->declared) {
		if (add_lines(&sandbox->rules, where, off ? everything : usual, failure) < 0)
			return -1;
		sandbox->rules.words |= off ? RULE_BIT(RULE_BUSES) : 0;
	}
	for (size_t i = 0; i < sandbox->denial_count; i++) {
		const struct denial *denial = &sandbox->denials[i];
		if (rules_deny(&sandbox->rules, denial->where, denial->text, denial->length,
			       failure) < 0)
			return -1;
	}
	return rules_check(&sandbox->rules, where, failure);
}
