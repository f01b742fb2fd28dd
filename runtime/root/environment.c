#include "root/environment.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/owned.h"
#include "generated/names.h"
#include "start/variables.h"

#define PATH_DEFAULT "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* They name libraries and places of the machine, which are not inside, or other files there. */
static const char *const of_machine[] = {
	"LD_LIBRARY_PATH", "LD_PRELOAD", "LD_AUDIT", ENV_TMPDIR, "TMP", "TEMP", "PATH"
};

/* What a terminal and its user's language are called is no secret. */
static const char *const contained[] = { "TERM", "COLORTERM", "LANG", "TZ" };

extern char **environ;

static int contain(void)
{
	char *kept[sizeof contained / sizeof *contained] = { NULL };
	int failed = 0;

	for (size_t i = 0; i < sizeof contained / sizeof *contained; i++) {
		const char *value = getenv(contained[i]);
		kept[i] = value ? strdup(value) : NULL;
		failed |= value && !kept[i];
	}
	clearenv();
	for (size_t i = 0; i < sizeof contained / sizeof *contained; i++) {
		failed |= kept[i] && setenv(contained[i], kept[i], 1) < 0;
		free(kept[i]);
	}
	return failed ? -1 : 0;
}

/* apt would give up when it cannot become its own user, and finds out whether it has. */
#define APT_DIRECTORY "/run/.fuselage"
#define APT_FILE APT_DIRECTORY "/apt.conf"

static int configure_apt(void)
{
	static const char text[] = "APT::Sandbox::User \"root\";\n";

	if (getenv("APT_CONFIG") || access("/usr/bin/apt-get", X_OK) < 0)
		return 0;
	if (mkdir(APT_DIRECTORY, 0755) < 0 && errno != EEXIST)
		return -1;
	OWNED_FD file = open(APT_FILE, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (file < 0 || write_full(file, text, sizeof text - 1) < 0)
		return -1;
	return setenv("APT_CONFIG", APT_FILE, 1);
}

/* K=V, or K: what the caller had, which --contain has taken away meanwhile. */
static int set_given(const struct text_list *given, const char *const *callers)
{
	for (size_t i = 0; i < given->count; i++) {
		const char *text = given->texts[i];
		const char *equals = strchr(text, '=');
		OWNED char *name = strndup(text, equals ? (size_t)(equals - text) : strlen(text));
		const char *value = equals ? equals + 1 : callers[i];
		if (!name || (value && setenv(name, value, 1) < 0))
			return -1;
	}
	return 0;
}

static int set_all(const struct root_start *root, const struct start *start, bool home, bool faked,
		   const char *const *callers, struct failure *failure)
{
	int failed = root->options.contain ? contain() : 0;

	for (size_t i = 0; i < sizeof of_machine / sizeof *of_machine; i++)
		unsetenv(of_machine[i]);
	failed |= setenv("PATH", PATH_DEFAULT, 1);
	if (!home)
		failed |= setenv(ENV_HOME, root->user.home, 1);
	unsetenv("USER");
	unsetenv("LOGNAME");
	if (*root->user.name)
		failed |= setenv("USER", root->user.name, 1) |
			  setenv("LOGNAME", root->user.name, 1);
	if (root->options.hostname)
		failed |= setenv("HOSTNAME", root->options.hostname, 1);
	if (failed)
		return fail(failure, FUSELAGE_E_OUT_OF_MEMORY, "environment");
	if (variables_set(start, root->bundle, failure) < 0)
		return -1;
	if (set_given(&root->options.variables, callers) < 0)
		return fail(failure, FUSELAGE_E_OUT_OF_MEMORY, "environment");
	if (faked && configure_apt() < 0)
		return fail_errno(failure, FUSELAGE_E_ROOT_START, APT_FILE);
	return 0;
}

int environment_set(const struct root_start *root, const struct start *start, bool home, bool faked,
		    struct failure *failure)
{
	const struct text_list *given = &root->options.variables;
	OWNED char **callers = calloc(given->count + 1, sizeof *callers);

	if (!callers)
		return fail(failure, FUSELAGE_E_OUT_OF_MEMORY, "environment");
	for (size_t i = 0; i < given->count; i++) {
		const char *value = strchr(given->texts[i], '=') ? NULL : getenv(given->texts[i]);
		callers[i] = value ? strdup(value) : NULL; /* lasts until exec */
	}
	return set_all(root, start, home, faked, (const char *const *)callers, failure);
}
