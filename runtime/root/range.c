#include "root/range.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/owned.h"
#include "libc/accounts.h"

#define FILE_MAX (1u << 20)

/* "" where there is none. NULL: no memory. */
static char *read_text(const char *path)
{
	char *text = malloc(FILE_MAX + 1);
	OWNED_FD fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 || !text ? 0 : pread_full(fd, text, FILE_MAX, 0);

	if (text)
		text[n > 0 ? n : 0] = 0;
	return text;
}

/* The share of a line NAME:FIRST:COUNT or UID:FIRST:COUNT. */
static bool parse_line(const char *line, const char *name, const char *number, unsigned *first,
		       unsigned *count)
{
	size_t length = strcspn(line, ":\n");
	char *end;

	if (line[length] != ':' ||
	    !((strlen(name) == length && memcmp(line, name, length) == 0) ||
	      (strlen(number) == length && memcmp(line, number, length) == 0)))
		return false;
	unsigned long from = strtoul(line + length + 1, &end, 10);
	unsigned long many = *end == ':' ? strtoul(end + 1, &end, 10) : 0;
	*first = (unsigned)from;
	*count = (unsigned)many;
	return many > 0 && from + many <= UINT32_MAX && (*end == '\n' || !*end);
}

/* The largest share counts: newuidmap takes a map within any. */
static bool find_share(const char *text, const char *name, const char *number, unsigned *first,
		       unsigned *count)
{
	unsigned from, many;

	*count = 0;
	while (*text) {
		if (parse_line(text, name, number, &from, &many) && many > *count) {
			*first = from;
			*count = many;
		}
		text += strcspn(text, "\n");
		text += *text == '\n';
	}
	return *count > 0;
}

static void add(struct id_map *map, unsigned inside, unsigned outside, unsigned count)
{
	if (count == 0)
		return;
	map->lines[map->count].inside = inside;
	map->lines[map->count].outside = outside;
	map->lines[map->count++].count = count;
}

/* Inside 0, 1, ... are the share's, but that `own` is the caller. */
static void fill(struct id_map *map, unsigned own, unsigned caller, unsigned first, unsigned count)
{
	unsigned before = own < count ? own : count;

	map->count = 0;
	add(map, 0, first, before);
	add(map, own, caller, 1);
	add(map, own + 1, first + before, count - before);
}

static int no_share(const char *file, const char *name, struct failure *failure)
{
	return fail(failure, FUSELAGE_E_ROOT_USER,
		    "--range: %s has no line for %s: as root, `usermod --add-subuids 100000-165535 "
		    "--add-subgids 100000-165535 %s`",
		    file, name, name);
}

int range_find(struct id_maps *maps, const struct caller *caller, uid_t uid, gid_t gid,
	       struct failure *failure)
{
	OWNED char *passwd = read_text("/etc/passwd");
	OWNED char *subuid = read_text("/etc/subuid");
	OWNED char *subgid = read_text("/etc/subgid");
	struct account user;
	char number[16];
	unsigned first, count;

	if (!passwd || !subuid || !subgid)
		return fail(failure, FUSELAGE_E_OUT_OF_MEMORY, "/etc/subuid");
	snprintf(number, sizeof number, "%u", (unsigned)caller->uid);
	if (account_find(&user, number, passwd, "", failure) < 0)
		return -1;
	const char *name = *user.name ? user.name : number;
	if (!find_share(subuid, name, number, &first, &count))
		return no_share("/etc/subuid", name, failure);
	fill(&maps->uids, uid, caller->uid, first, count);
	if (!find_share(subgid, name, number, &first, &count))
		return no_share("/etc/subgid", name, failure);
	fill(&maps->gids, gid, caller->gid, first, count);
	return 0;
}
