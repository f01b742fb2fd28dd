/* What a start would be fenced in by, line by line. */
#include "sandbox/sandbox.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

#include "base/child.h"
#include "kernel/namespace.h"
#include "sandbox/bus.h"
#include "sandbox/facts.h"
#include "sandbox/filter.h"
#include "sandbox/inside.h"
#include "sandbox/words.h"

/* In a process of its own: there is no way back out of a namespace. */
static int try_namespace(void *argument)
{
	struct identity identity = *(const struct identity *)argument;
	struct failure ignored = { 0 };
	int cwd;

	if (identity.kind == NAMESPACE_NONE)
		identity.kind = namespace_kind(&identity.caller);
	return namespace_probe(&identity, &ignored) < 0 ||
	       namespace_enter(&identity, false, &cwd, &ignored) < 0;
}

/* What there is here to enforce rules with. */
static void report_means(const struct facts *facts, FILE *out)
{
	static const char *const gained[] = { "none",	      "files",	     ", links",
					      ", truncation", ", TCP ports", ", devices",
					      ", signals" };
	int known = (int)(sizeof gained / sizeof *gained) - 1;

	fprintf(out, "%-11s Landlock %d: ", "  here", facts->landlock);
	for (int i = facts->landlock ? 1 : 0; i <= facts->landlock && i <= known; i++)
		fputs(gained[i], out);
	fprintf(out, "\n%-11s filter of system calls: %s\n", "", facts->filter ? "yes" : "none");
	fprintf(out, "%-11s private directories and namespaces: %s\n", "",
		facts->views	    ? "yes" :
		facts->no_namespace ? facts->no_namespace :
				      "refused");
}

/* One permission, in the words of --bundle-info, and what keeps the app to it. */
static void report_rule(FILE *out, const char *by, const char *format, ...)
{
	char rule[PATH_MAX + 16];
	va_list values;

	va_start(values, format);
	vsnprintf(rule, sizeof rule, format, values);
	va_end(values);
	fprintf(out, "%-11s ", "  may");
	sandbox_print_words(out, rule);
	fprintf(out, "%s%s\n", by ? ": " : "", by ? by : "");
}

static void report_files(const struct rules *rules, const struct facts *facts, FILE *out)
{
	static const char *const places[] = { NULL, "home", "cwd", "downloads", "app-data" };
	const char *by = facts->landlock && facts->views ? "Landlock, private directories" :
			 facts->landlock		 ? "Landlock" :
			 facts->views			 ? "private directories" :
							   "nothing keeps it from others";

	for (size_t i = 0; i < rules->path_count; i++) {
		const struct rule_path *path = &rules->paths[i];
		const char *place = places[path->place] ? places[path->place] : path->path;
		report_rule(out, by, "fs %.*s %s",
			    (int)(places[path->place] ? strlen(place) : path->length), place,
			    path->write ? "rw" : "ro");
	}
}

static void report_network(const struct rules *rules, const struct facts *facts, FILE *out)
{
	const char *by = facts->landlock >= 4 ? "Landlock, filter of system calls" :
						"any port, Landlock is before version 4";

	for (size_t i = 0; i < rules->connect_count; i++)
		report_rule(out, by, "net connect %u", rules->connect[i]);
	for (size_t i = 0; i < rules->listen_count; i++)
		report_rule(out, by, "net listen %u", rules->listen[i]);
	if (rules_have(rules, RULE_NET_UDP))
		report_rule(out, NULL, "net udp");
	if (rules_have(rules, RULE_NET_ALL))
		report_rule(out, NULL, "net all");
	else if (!rules_have_ports(rules))
		fprintf(out, "%-11s network: %s\n", "  closed",
			facts->filter	     ? "filter of system calls" :
			facts->landlock >= 4 ? "Landlock, of TCP alone" :
					       "nothing keeps it from that");
}

static void report_words(const struct rules *rules, const struct facts *facts, FILE *out)
{
	static const struct {
		enum rule_word word;
		const char *name;
	} words[] = {
		{ RULE_GPU, "devices gpu" },	 { RULE_AUDIO, "devices audio" },
		{ RULE_INPUT, "devices input" }, { RULE_X11, "ipc x11" },
		{ RULE_WAYLAND, "ipc wayland" }, { RULE_EXEC_OWN, "exec own" },
		{ RULE_EXEC_HOST, "exec host" }, { RULE_DEBUG, "debug" },
		{ RULE_USERNS, "userns" },	 { RULE_PID, "pid" },
		{ RULE_NETNS, "netns" },	 { RULE_IPCNS, "ipcns" },
	};

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (rules_have(rules, words[i].word))
			report_rule(out, NULL, "%s", words[i].name);
	for (size_t i = 0; i < rules->bus_count; i++)
		report_rule(out, facts->no_bus ? NULL : "xdg-dbus-proxy", "ipc dbus %.*s",
			    (int)rules->bus_lengths[i], rules->bus[i]);
}

static struct facts look(const struct sandbox *sandbox, const struct sandbox_start *start,
			 FILE *out)
{
	struct facts facts = { .landlock = landlock_version(),
			       .filter = filter_is_there(),
			       .no_namespace = start->refusal };

	fflush(out);
	facts.views = !start->refusal &&
		      child_run(try_namespace, (void *)(uintptr_t)start->identity) == 0;
	facts.pid = facts.netns = facts.ipcns = facts.views;
	if (sandbox)
		facts.no_bus = start->inside && sandbox->rules.bus_count ?
				       INSIDE_NO_BUS :
				       bus_obstacle(sandbox, start, facts.landlock);
	return facts;
}

void sandbox_report_none(const struct sandbox_start *start, FILE *out)
{
	const struct facts facts = look(NULL, start, out);

	fprintf(out, "%-11s none: the app may do what its user may\n", "sandbox");
	report_means(&facts, out);
}

void sandbox_report(const struct sandbox *sandbox, const struct sandbox_start *start, FILE *out)
{
	struct gap gaps[GAPS_MAX];
	const struct facts facts = look(sandbox, start, out);
	size_t count = facts_gaps(sandbox, &facts, gaps);
	fprintf(out, "%-11s %s%s\n", "sandbox", sandbox->mode == SANDBOX_STRICT ? "strict" : "on",
		count == 0			? ": all of it is enforced here" :
		sandbox->mode == SANDBOX_STRICT ? ": nothing starts here" :
						  ": not all of it is enforced here");
	report_means(&facts, out);
	report_files(&sandbox->rules, &facts, out);
	report_network(&sandbox->rules, &facts, out);
	report_words(&sandbox->rules, &facts, out);
	for (size_t i = 0; i < count; i++)
		fprintf(out, "%-11s %s: %s\n", "  open", gaps[i].what, gaps[i].why);
}
