#include "libc/accounts.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A field of a line, which colons separate and a newline ends. */
struct field {
	const char *text;
	size_t length;
};

/* The next line with its first `count` fields; those that it has not are empty. Returns what follows. */
static const char *next_line(const char *text, struct field *fields, size_t count)
{
	const char *end = text;

	/* strcspn of this libc looks for the end of the whole text first, and that for each line. */
	while (*end && *end != '\n')
		end++;
	for (size_t i = 0; i < count; i++) {
		size_t length = 0;
		while (text + length < end && text[length] != ':')
			length++;
		fields[i] = (struct field){ text, length };
		text += length;
		text += text < end;
	}
	return *end ? end + 1 : end;
}

static bool is(const struct field *field, const char *text, size_t length)
{
	return field->length == length && memcmp(field->text, text, length) == 0;
}

/* An id in decimal; 2^32 - 1 is none. Returns false for what is no number. */
static bool parse_id(const char *text, size_t length, unsigned *id)
{
	unsigned long long value = 0;

	if (length == 0 || length > 10)
		return false;
	for (size_t i = 0; i < length; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		value = value * 10 + (unsigned)(text[i] - '0');
	}
	*id = (unsigned)value;
	return value < UINT32_MAX;
}

static void copy(char *to, size_t size, const struct field *field)
{
	snprintf(to, size, "%.*s", (int)field->length, field->text);
}

enum {
	NAME,
	PASSWORD,
	ID,
	GROUP, /* of a group: its members */
	COMMENT,
	HOME,
	FIELDS
};

/* By name first: a name of digits is one, too. */
static bool find_user(struct account *user, const char *wanted, size_t length, const char *passwd)
{
	struct field fields[FIELDS];
	unsigned id = 0, found;
	bool number = parse_id(wanted, length, &id);

	for (int by_number = 0; by_number <= number; by_number++)
		for (const char *at = passwd; *at;) {
			at = next_line(at, fields, FIELDS);
			if (!parse_id(fields[ID].text, fields[ID].length, &found) ||
			    !(by_number ? found == id : is(&fields[NAME], wanted, length)))
				continue;
			user->uid = found;
			if (!parse_id(fields[GROUP].text, fields[GROUP].length, &user->gid))
				user->gid = 0;
			copy(user->name, sizeof user->name, &fields[NAME]);
			if (fields[HOME].length && *fields[HOME].text == '/')
				copy(user->home, sizeof user->home, &fields[HOME]);
			return true;
		}
	user->uid = id;
	return number;
}

static bool find_group(gid_t *gid, const char *wanted, const char *group)
{
	struct field fields[GROUP];
	size_t length = strlen(wanted);

	for (const char *at = group; *at;) {
		at = next_line(at, fields, GROUP);
		if (is(&fields[NAME], wanted, length) &&
		    parse_id(fields[ID].text, fields[ID].length, gid))
			return true;
	}
	return parse_id(wanted, length, gid);
}

static bool has_member(const struct field *members, const char *name)
{
	size_t length = strlen(name);

	for (size_t at = 0; at < members->length;) {
		size_t size = 0;
		while (at + size < members->length && members->text[at + size] != ',')
			size++;
		if (size == length && memcmp(members->text + at, name, length) == 0)
			return true;
		at += size + 1;
	}
	return false;
}

static void find_more_groups(struct account *user, const char *group)
{
	struct field fields[GROUP + 1];
	gid_t gid;

	for (const char *at = group;
	     *at && *user->name && user->group_count < ACCOUNT_GROUPS_MAX;) {
		at = next_line(at, fields, GROUP + 1);
		if (has_member(&fields[GROUP], user->name) &&
		    parse_id(fields[ID].text, fields[ID].length, &gid) && gid != user->gid)
			user->groups[user->group_count++] = gid;
	}
}

int account_find(struct account *user, const char *wanted, const char *passwd, const char *group,
		 struct failure *failure)
{
	size_t length = strcspn(wanted, ":");

	*user = (struct account){ .home = "/" };
	if (!find_user(user, wanted, length, passwd))
		return fail(failure, FUSELAGE_E_ROOT_USER,
			    "%.300s: expected a user of the image's /etc/passwd, or a number",
			    wanted);
	if (!wanted[length]) {
		find_more_groups(user, group);
		return 0;
	}
	/* As elsewhere: who names a group gets that one alone. */
	if (!find_group(&user->gid, wanted + length + 1, group))
		return fail(failure, FUSELAGE_E_ROOT_USER,
			    "%.300s: expected a group of the image's /etc/group, or a number",
			    wanted);
	return 0;
}
