#include "sandbox/rules.h"

#include <stdlib.h>
#include <string.h>

/* A part of a text. */
struct piece {
	const char *text;
	size_t length;
};

/* A rule as its words. What stands between the first and the last of `fs` may have the separator itself. */
struct rule {
	const char *where;
	struct piece whole;
	struct piece words[3];
	size_t count;
};

/* Words that are a rule by themselves, with their kind before them unless that is NULL. */
static const struct {
	const char *name;
	const char *kind;
	uint32_t bit;
} plain[] = {
	{ "all", "net", RULE_BIT(RULE_NET_ALL) },
	{ "none", "net", RULE_BIT(RULE_NET_NONE) },
	{ "udp", "net", RULE_BIT(RULE_NET_UDP) },
	{ "none", "devices", RULE_BIT(RULE_DEVICES_NONE) },
	{ "gpu", "devices", RULE_BIT(RULE_GPU) },
	{ "audio", "devices", RULE_BIT(RULE_AUDIO) },
	{ "input", "devices", RULE_BIT(RULE_INPUT) },
	{ "x11", "ipc", RULE_BIT(RULE_X11) },
	{ "wayland", "ipc", RULE_BIT(RULE_WAYLAND) },
	{ "own", "exec", RULE_BIT(RULE_EXEC_OWN) },
	{ "host", "exec", RULE_BIT(RULE_EXEC_HOST) },
	{ "debug", NULL, RULE_BIT(RULE_DEBUG) },
	{ "userns", NULL, RULE_BIT(RULE_USERNS) },
	{ "pid", NULL, RULE_BIT(RULE_PID) },
	{ "netns", NULL, RULE_BIT(RULE_NETNS) },
	{ "ipcns", NULL, RULE_BIT(RULE_IPCNS) },
};

#define PLAIN_COUNT (sizeof plain / sizeof *plain)

static const char *const places[PLACE_WORDS] = {
	[PLACE_HOME] = "home",
	[PLACE_CWD] = "cwd",
	[PLACE_DOWNLOADS] = "downloads",
	[PLACE_APP_DATA] = "app-data",
};

static bool is(const struct piece *piece, const char *word)
{
	return strlen(word) == piece->length && memcmp(piece->text, word, piece->length) == 0;
}

static int unfit(const struct rule *rule, const char *expected, struct failure *failure)
{
	return fail(failure, FUSELAGE_E_SANDBOX_RULE, "%.300s: \"%.*s\": expected %s", rule->where,
		    rule->whole.length < 200 ? (int)rule->whole.length : 200, rule->whole.text,
		    expected);
}

/* Cuts it at the first and the last separator: only a path has others. */
static void cut(struct rule *rule, char separator)
{
	const char *text = rule->whole.text, *end = text + rule->whole.length;
	const char *first = memchr(text, separator, rule->whole.length), *last = end;

	rule->count = 1;
	rule->words[0] = (struct piece){ text, (size_t)((first ? first : end) - text) };
	if (!first)
		return;
	while (*--last != separator)
		;
	rule->count = 2 + (last > first);
	rule->words[1] =
		(struct piece){ first + 1, (size_t)((last > first ? last : end) - first - 1) };
	if (last > first)
		rule->words[2] = (struct piece){ last + 1, (size_t)(end - last - 1) };
}

/* Absolute, and as the kernel would show it: compared with others byte by byte. */
static bool is_normal(const struct piece *path)
{
	const char *at = path->text, *end = at + path->length;

	if (path->length == 0 || *at != '/' || path->length >= PATH_MAX ||
	    memchr(at, 0, path->length))
		return false;
	if (path->length == 1)
		return true;
	while (at < end) {
		const char *name = at + 1;
		const char *slash = name < end ? memchr(name, '/', (size_t)(end - name)) : NULL;
		size_t length = (size_t)((slash ? slash : end) - name);
		if (length == 0 || (length == 1 && *name == '.') ||
		    (length == 2 && name[0] == '.' && name[1] == '.'))
			return false;
		at = name + length;
	}
	return true;
}

static bool is_same_path(const struct rule_path *a, const struct rule_path *b)
{
	return a->place == b->place &&
	       (a->place != PLACE_PATH ||
		(a->length == b->length && memcmp(a->path, b->path, a->length) == 0));
}

static int add_path(struct rules *rules, const struct rule *rule, struct failure *failure)
{
	const struct piece *where = &rule->words[1], *access = &rule->words[2];
	struct rule_path path = { .path = where->text, .length = where->length };

	if (rule->count != 3 || (!is(access, "ro") && !is(access, "rw")))
		return unfit(rule, "fs, a place, and ro or rw", failure);
	path.write = is(access, "rw");
	for (unsigned i = PLACE_HOME; i < PLACE_WORDS; i++)
		if (is(where, places[i]))
			path.place = (enum rule_place)i;
	if (path.place == PLACE_PATH && !is_normal(where))
		return unfit(
			rule,
			"home, cwd, downloads, app-data, or an absolute path without . and .. and "
			"empty components",
			failure);
	for (size_t i = 0; i < rules->path_count; i++)
		if (is_same_path(&rules->paths[i], &path)) {
			rules->paths[i].write |= path.write;
			return 0;
		}
	if (rules->path_count == RULES_PATHS)
		return unfit(rule, "at most 64 paths", failure);
	rules->paths[rules->path_count++] = path;
	return 0;
}

static int add_port(struct rules *rules, const struct rule *rule, struct failure *failure)
{
	bool listens = is(&rule->words[1], "listen");
	uint16_t *ports = listens ? rules->listen : rules->connect;
	size_t *count = listens ? &rules->listen_count : &rules->connect_count;
	unsigned port = 0;

	for (size_t i = 0; i < rule->words[2].length; i++) {
		char digit = rule->words[2].text[i];
		if (digit < '0' || digit > '9' || i == 5)
			return unfit(rule, "the number of a port", failure);
		port = port * 10 + (unsigned)(digit - '0');
	}
	if (rule->words[2].length == 0 || port > UINT16_MAX || (!port && !listens))
		return unfit(rule, listens ? "a port from 0 to 65535" : "a port from 1 to 65535",
			     failure);
	for (size_t i = 0; i < *count; i++)
		if (ports[i] == port)
			return 0;
	if (*count == RULES_PORTS)
		return unfit(rule, "at most 32 ports of a kind", failure);
	ports[(*count)++] = (uint16_t)port;
	return 0;
}

/* As of the bus: elements of letters, digits, "_" and "-" with dots between them; a final ".*" is the proxy's. */
static bool is_bus_name(const struct piece *name)
{
	static const char allowed[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
	size_t length = name->length;

	if (length > 2 && memcmp(name->text + length - 2, ".*", 2) == 0)
		length -= 2;
	for (size_t i = 0; i < length; i++)
		if (!memchr(allowed, name->text[i], sizeof allowed - 1))
			return false;
	return length > 0 && name->length <= 255 && *name->text != '.' &&
	       name->text[length - 1] != '.' && memchr(name->text, '.', length);
}

static int add_bus(struct rules *rules, const struct rule *rule, struct failure *failure)
{
	if (!is_bus_name(&rule->words[2]))
		return unfit(rule, "a name on the bus, as in org.freedesktop.Notifications",
			     failure);
	if (rules->bus_count == RULES_NAMES)
		return unfit(rule, "at most 16 names on the bus", failure);
	rules->bus[rules->bus_count] = rule->words[2].text;
	rules->bus_lengths[rules->bus_count++] = rule->words[2].length;
	return 0;
}

static int add(struct rules *rules, const struct rule *rule, struct failure *failure)
{
	const struct piece *kind = &rule->words[0], *word = &rule->words[1];

	for (size_t i = 0; i < PLAIN_COUNT; i++)
		if (plain[i].kind ?
			    rule->count == 2 && is(kind, plain[i].kind) && is(word, plain[i].name) :
			    rule->count == 1 && is(kind, plain[i].name)) {
			rules->words |= plain[i].bit;
			return 0;
		}
	if (is(kind, "fs"))
		return add_path(rules, rule, failure);
	if (is(kind, "net") && rule->count == 3 && (is(word, "connect") || is(word, "listen")))
		return add_port(rules, rule, failure);
	if (is(kind, "ipc") && rule->count == 3 && is(word, "dbus"))
		return add_bus(rules, rule, failure);
	return unfit(rule, "a rule, as in fs /srv/data ro, net connect 443 or exec host", failure);
}

int rules_add_line(struct rules *rules, const char *where, const char *line,
		   struct failure *failure)
{
	struct rule rule = { .where = where, .whole = { line, strlen(line) } };

	cut(&rule, ' ');
	return add(rules, &rule, failure);
}

int rules_add_short(struct rules *rules, const char *where, const char *text, size_t length,
		    struct failure *failure)
{
	struct rule rule = { .where = where, .whole = { text, length } };

	cut(&rule, ':');
	return add(rules, &rule, failure);
}

/* Keeps ports but those that are denied: `only` is 0 for all. Returns whether that is a port at all. */
static bool deny_ports(uint16_t *ports, size_t *count, const struct piece *only)
{
	size_t kept = 0;
	unsigned long port = 0;

	for (size_t i = 0; i < only->length; i++) {
		if (only->text[i] < '0' || only->text[i] > '9' || i == 5)
			return false;
		port = port * 10 + (unsigned long)(only->text[i] - '0');
	}
	for (size_t i = 0; i < *count; i++)
		if (only->length && ports[i] != port)
			ports[kept++] = ports[i];
	*count = kept;
	return true;
}

static bool deny_net(struct rules *rules, const struct rule *rule)
{
	const struct piece *word = &rule->words[1];

	if (rule->count == 1) {
		rules->words &= ~(RULE_BIT(RULE_NET_ALL) | RULE_BIT(RULE_NET_UDP));
		rules->connect_count = rules->listen_count = 0;
		return true;
	}
	bool known = is(word, "connect") ?
			     deny_ports(rules->connect, &rules->connect_count, &rule->words[2]) :
			     is(word, "listen") && deny_ports(rules->listen, &rules->listen_count,
							      &rule->words[2]);
	/* It stands beside ports. */
	if (!rules_have_ports(rules))
		rules->words &= ~RULE_BIT(RULE_NET_UDP);
	return known;
}

/* A path takes with it what is allowed below it. */
static bool is_denied(const struct rule_path *path, const struct piece *denied)
{
	if (path->place != PLACE_PATH)
		return is(denied, places[path->place]);
	return path->length >= denied->length &&
	       memcmp(path->path, denied->text, denied->length) == 0 &&
	       (path->length == denied->length || denied->length == 1 ||
		path->path[denied->length] == '/');
}

static bool deny_paths(struct rules *rules, const struct rule *rule)
{
	struct piece denied = rule->words[1];
	size_t kept = 0;
	bool known = rule->count == 1 || is_normal(&denied);

	if (rule->count == 3)
		return false;
	for (unsigned i = PLACE_HOME; i < PLACE_WORDS; i++)
		known |= is(&denied, places[i]);
	for (size_t i = 0; known && i < rules->path_count; i++)
		if (rule->count == 2 && !is_denied(&rules->paths[i], &denied))
			rules->paths[kept++] = rules->paths[i];
	if (known)
		rules->path_count = kept;
	return known;
}

static bool deny_words(struct rules *rules, const struct rule *rule)
{
	bool known = false;

	for (size_t i = 0; i < PLAIN_COUNT; i++) {
		bool same =
			plain[i].kind ?
				is(&rule->words[0], plain[i].kind) &&
					(rule->count == 1 ||
					 (rule->count == 2 && is(&rule->words[1], plain[i].name))) :
				rule->count == 1 && is(&rule->words[0], plain[i].name);
		if (same)
			rules->words &= ~plain[i].bit;
		known |= same;
	}
	return known;
}

static bool deny_bus(struct rules *rules, const struct rule *rule)
{
	size_t kept = 0;

	if (rule->count > 1 && !is(&rule->words[1], "dbus"))
		return false;
	for (size_t i = 0; i < rules->bus_count; i++)
		if (rule->count == 3 &&
		    (rules->bus_lengths[i] != rule->words[2].length ||
		     memcmp(rules->bus[i], rule->words[2].text, rule->words[2].length) != 0)) {
			rules->bus[kept] = rules->bus[i];
			rules->bus_lengths[kept++] = rules->bus_lengths[i];
		}
	rules->bus_count = kept;
	rules->words &= ~RULE_BIT(RULE_BUSES);
	return true;
}

int rules_deny(struct rules *rules, const char *where, const char *text, size_t length,
	       struct failure *failure)
{
	struct rule rule = { .where = where, .whole = { text, length } };

	cut(&rule, ':');
	/* A path may have colons, and stands alone here. */
	if (rule.count == 3 && is(&rule.words[0], "fs")) {
		rule.count = 2;
		rule.words[1].length = (size_t)(text + length - rule.words[1].text);
	}
	bool known = deny_words(rules, &rule);
	if (is(&rule.words[0], "net"))
		known |= deny_net(rules, &rule);
	else if (is(&rule.words[0], "fs"))
		known |= deny_paths(rules, &rule);
	else if (is(&rule.words[0], "ipc"))
		known |= deny_bus(rules, &rule);
	return known ? 0 :
		       unfit(&rule, "the first words of a rule, as in net, fs:home or net:listen",
			     failure);
}

int rules_check(const struct rules *rules, const char *where, struct failure *failure)
{
	bool ports = rules_have_ports(rules);
	bool net = ports || (rules->words & (RULE_BIT(RULE_NET_ALL) | RULE_BIT(RULE_NET_UDP)));
	const char *both = NULL;

	if (rules_have(rules, RULE_NET_NONE) && net)
		both = "net none does not stand beside another rule of net";
	else if (rules_have(rules, RULE_NET_ALL) && (ports || rules_have(rules, RULE_NET_UDP)))
		both = "net all has every port already";
	else if (rules_have(rules, RULE_NET_UDP) && !ports)
		both = "net udp stands beside a rule of connect or listen";
	else if (rules_have(rules, RULE_DEVICES_NONE) &&
		 (rules->words &
		  (RULE_BIT(RULE_GPU) | RULE_BIT(RULE_AUDIO) | RULE_BIT(RULE_INPUT))))
		both = "devices none does not stand beside another rule of devices";
	else if (rules_have(rules, RULE_EXEC_OWN) && rules_have(rules, RULE_EXEC_HOST))
		both = "exec own and exec host exclude each other";
	return both ? fail(failure, FUSELAGE_E_SANDBOX_CONFLICT, "%.300s: %s", where, both) : 0;
}
