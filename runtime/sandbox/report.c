/* What a start would be fenced in by, line by line. */
#include "sandbox/sandbox.h"

#include <sys/prctl.h>

#include "base/child.h"
#include "kernel/namespace.h"
#include "sandbox/facts.h"
#include "sandbox/filter.h"

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

static void line(FILE *out, const char *name, const char *what, const char *by)
{
	fprintf(out, "%-11s %s: %s\n", name, what, by);
}

static void report_files(const struct rules *rules, const struct facts *facts, FILE *out)
{
	char by[64];

	snprintf(by, sizeof by, "%s%s%s", facts->landlock ? "Landlock" : "",
		 facts->landlock && facts->views ? ", " : "",
		 facts->views	 ? "private directories" :
		 facts->landlock ? "" :
				   "nothing");
	for (size_t i = 0; i < rules->path_count; i++) {
		static const char *const words[] = { NULL, "home", "cwd", "downloads", "app-data" };
		const struct rule_path *path = &rules->paths[i];
		bool word = path->place != PLACE_PATH;
		fprintf(out, "%-11s %.*s %s: %s\n", "  fs", word ? 10 : (int)path->length,
			word ? words[path->place] : path->path, path->write ? "rw" : "ro", by);
	}
	line(out, "  fs", "nothing else of the user's", by);
}

static void report_ports(const struct rules *rules, const struct facts *facts, FILE *out)
{
	const char *by = facts->landlock >= 4 ? "Landlock, filter of system calls" :
						"any port, Landlock before version 4";

	for (size_t i = 0; i < rules->connect_count; i++)
		fprintf(out, "%-11s connect %u: %s\n", "  net", rules->connect[i], by);
	for (size_t i = 0; i < rules->listen_count; i++)
		fprintf(out, "%-11s listen %u: %s\n", "  net", rules->listen[i], by);
	if (rules_have(rules, RULE_NET_UDP))
		line(out, "  net", "udp", "any port");
	if (rules_have(rules, RULE_NET_ALL))
		line(out, "  net", "all", "nothing is closed");
	else if (!rules_have_ports(rules))
		line(out, "  net", "none", facts->filter ? "filter of system calls" : "nothing");
}

static void report_words(const struct rules *rules, FILE *out)
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
			fprintf(out, "  %s\n", words[i].name);
	for (size_t i = 0; i < rules->bus_count; i++)
		fprintf(out, "  ipc dbus %.*s\n", (int)rules->bus_lengths[i], rules->bus[i]);
}

void sandbox_report(const struct sandbox *sandbox, const struct sandbox_start *start, FILE *out)
{
	struct gap gaps[GAPS_MAX];
	struct facts facts = { .landlock = landlock_version(),
			       .filter = filter_is_there(),
			       .no_namespace = start->refusal };

	fflush(out);
	facts.views = !start->refusal &&
		      child_run(try_namespace, (void *)(uintptr_t)start->identity) == 0;
	facts.pid = facts.netns = facts.ipcns = facts.views;
	size_t count = facts_gaps(sandbox, &facts, gaps);
	fprintf(out, "%-11s %s%s\n", "sandbox", sandbox->mode == SANDBOX_STRICT ? "strict" : "on",
		count == 0			? ": all of it is enforced here" :
		sandbox->mode == SANDBOX_STRICT ? ": nothing starts here" :
						  ": not all of it is enforced here");
	report_files(&sandbox->rules, &facts, out);
	report_ports(&sandbox->rules, &facts, out);
	report_words(&sandbox->rules, out);
	for (size_t i = 0; i < count; i++)
		fprintf(out, "%-11s %s: %s\n", "  open", gaps[i].what, gaps[i].why);
}
