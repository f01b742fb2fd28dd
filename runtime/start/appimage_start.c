#include "start/appimage_start.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/owned.h"
#include "kernel/trusted_path.h"
#include "generated/names.h"

void appimage_choose(struct mounting *mounting, const struct bundle *bundle)
{
	if (!bundle->extract_and_run &&
	    (mounting->identity->caller.setuid || !getenv(ENV_APPIMAGE_EXTRACT_AND_RUN)))
		return;
	mounting->type = "extract";
	mounting->on_host = !mounting->identity->caller.setuid && getenv(ENV_NO_CLEANUP);
}

static const char *const beside[][2] = {
	{ ".home", "HOME" },
	{ ".config", "XDG_CONFIG_HOME" },
};

static void portable_path(const struct bundle *bundle, int i, char path[PATH_MAX + 16])
{
	snprintf(path, PATH_MAX + 16, "%s%s", bundle->path, beside[i][0]);
}

/* What is not there or cannot be written to says nothing; what others can change was meant to. */
void appimage_look_beside(struct bundle *bundle, const struct caller *caller)
{
	char path[PATH_MAX + 16];
	struct stat st;

	for (int i = 0; i < 2; i++) {
		struct failure failure = { 0 };
		portable_path(bundle, i, path);
		if (stat(path, &st) < 0 || !S_ISDIR(st.st_mode) || access(path, W_OK) < 0)
			continue;
		OWNED_FD fd = trusted_open(AT_FDCWD, path, caller, TRUSTED_OWN,
					   FUSELAGE_E_APPIMAGE_PORTABLE, &failure);
		bundle->portable[i] = fd >= 0;
		if (fd < 0)
			fprintf(stderr, "fuselage: %s is not used: %s\n", path, failure.text);
	}
}

int appimage_set_environment(const struct bundle *bundle, const char *root)
{
	char directory[PATH_MAX + 16];
	int failed = 0;

	failed |= setenv(ENV_APPIMAGE, bundle->path, 1);
	failed |= setenv(ENV_APPDIR, root, 1);
	failed |= setenv(ENV_ARGV0, bundle->argv0, 1);
	failed |= syscall(SYS_getcwd, directory, sizeof directory) > 0 ?
			  setenv(ENV_OWD, directory, 1) :
			  unsetenv(ENV_OWD);
	/* Meant for this start; another AppImage that the app starts must not take it for its own. */
	failed |= unsetenv(ENV_TARGET_APPIMAGE);
	for (int i = 0; i < 2; i++) {
		portable_path(bundle, i, directory);
		failed |= bundle->portable[i] && setenv(beside[i][1], directory, 1);
	}
	return failed ? -1 : 0;
}
