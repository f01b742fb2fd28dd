/* The app's environment: the caller's, what a start tells, and what is recorded or asked for. */
#include "start/variables.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/owned.h"
#include "flavour/flavour.h"
#include "generated/names.h"
#include "start/appimage_start.h"
#include "start/certificates.h"

/* What the variable at `*text` stands for, which is then passed over, or NULL. */
static const char *variable_at(const char **text, enum expansion expansion, const char *root)
{
	static const char start[] = "${FUSELAGE_";
	char name[32];
	size_t length = strcspn(*text, "}");
	const char *found = NULL;

	if (strncmp(*text, start, sizeof start - 1) != 0 || !(*text)[length] ||
	    length > sizeof name)
		return NULL;
	snprintf(name, sizeof name, "%.*s", (int)length - 2, *text + 2);
	if (expansion == EXPAND_PLACES)
		found = getenv(name);
	else if (expansion == EXPAND_ROOT && strcmp(name, ENV_FUSELAGE_BUNDLE_DIR) == 0)
		found = root;
	*text += found ? length + 1 : 0;
	return found;
}

size_t variables_expand(char *to, const char *text, enum expansion expansion, const char *root)
{
	size_t size = 0;

	while (*text) {
		const char *found = variable_at(&text, expansion, root);
		size_t n = found ? strlen(found) : 1;
		if (to)
			memcpy(to + size, found ? found : text, n);
		text += !found;
		size += n;
	}
	if (to)
		to[size] = 0;
	return size + 1;
}

/* Variables of the places: each only when there is something in it. */
static int set_places(const struct invocation *invocation, const char *procdir)
{
	char directory[PATH_MAX + 16];
	bool any_static = false, any_dynamic = false;
	int failed = 0;

	for (size_t i = 0; i < invocation->count; i++) {
		const struct archive *archive = &invocation->archives[i];
		any_static |= !archive->fixed && archive->use == ARCHIVE_STATIC;
		any_dynamic |= !archive->fixed && archive->use != ARCHIVE_STATIC;
	}
	snprintf(directory, sizeof directory, "%s/tmp", procdir);
	failed |= setenv(ENV_FUSELAGE_TMPDIR, directory, 1);
	snprintf(directory, sizeof directory, "%s/static", procdir);
	failed |= any_static && setenv(ENV_FUSELAGE_STATIC, directory, 1);
	snprintf(directory, sizeof directory, "%s/dynamic", procdir);
	failed |= any_dynamic && setenv(ENV_FUSELAGE_DYNAMIC, directory, 1);
	return failed;
}

const char *variables_root(const struct invocation *invocation, const struct bundle *bundle)
{
	for (size_t i = 0; i < invocation->count; i++)
		if (invocation->archives[i].file == bundle->path)
			return invocation->archives[i].target;
	return NULL;
}

/* What joins a value to the caller's: a character behind the name, else a colon. */
static char take_separator(const char *text, size_t *length)
{
	char last = text[*length - 1];

	if (*length == 1 || last == '_' || isalnum((unsigned char)last))
		return ':';
	(*length)--;
	return last;
}

static int change(const struct variable *variable, enum expansion expansion, const char *root)
{
	const char *text = variable->text;
	size_t length = strcspn(text, "=");
	bool prepend = variable->tag == FUSELAGE_MANIFEST_ENV_PREPEND;
	bool append = variable->tag == FUSELAGE_MANIFEST_ENV_APPEND;
	char separator = prepend || append ? take_separator(text, &length) : 0;
	OWNED char *name = strndup(text, length);

	if (!name || variable->tag == FUSELAGE_MANIFEST_UNSET)
		return name ? unsetenv(name) : -1;
	const char *old = separator ? getenv(name) : NULL;
	const char *value = strchr(text, '=') + 1;
	size_t more = old ? strlen(old) : 0;
	OWNED char *made = malloc(more + 1 + variables_expand(NULL, value, expansion, root));
	size_t size = 0;
	if (!made)
		return -1;
	if (more && append) {
		memcpy(made, old, more);
		made[more] = separator;
		size = more + 1;
	}
	size += variables_expand(made + size, value, expansion, root) - 1;
	if (more && prepend) {
		made[size] = separator;
		memcpy(made + size + 1, old, more + 1);
	}
	return setenv(name, made, variable->tag != FUSELAGE_MANIFEST_ENV_DEFAULT);
}

static int change_all(const struct variable *variables, enum expansion expansion, const char *root)
{
	int failed = 0;

	for (; !failed && variables->text; variables++)
		failed = change(variables, expansion, root);
	return failed;
}

int variables_set(const struct start *start, const struct bundle *bundle, struct failure *failure)
{
	const char *root = bundle ? variables_root(&start->invocation, bundle) : NULL;
	/* An AppImage of another maker has no use for ours. */
	bool ours = !bundle || bundle->manifest.bytes;
	/* With the image as root none of the places is inside. */
	bool has_places = ours && !(flavour_is_runner && start->root);
	int failed = has_places && set_places(&start->invocation, start->procdir.path);

	if (bundle && bundle->appimage)
		failed |= appimage_set_environment(bundle, root ? root : "");
	if (bundle && ours)
		failed |= setenv(ENV_FUSELAGE_BUNDLE, bundle->path, 1);
	if (root && ours)
		failed |= setenv(ENV_FUSELAGE_BUNDLE_DIR, root, 1);
	if (bundle && bundle->manifest.openssl)
		failed |= certificates_find(bundle->manifest.openssl);
	if (bundle && bundle->manifest.variables)
		failed |= change_all(bundle->manifest.variables, EXPAND_ROOT, root);
	if (start->invocation.variables)
		failed |= change_all(start->invocation.variables, EXPAND_PLACES, NULL);
	return failed ? fail(failure, FUSELAGE_E_OUT_OF_MEMORY, "environment") : 0;
}
