/* What the words cwd, downloads and app-data stand for; the user's own directories by freedesktop.org's rules. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/owned.h"
#include "libc/find_words.h"
#include "libc/accounts.h"
#include "sandbox/grants.h"

#define PASSWD "/etc/passwd"
#define PASSWD_MOST (1u << 20) /* bytes */
#define APPS "fuselage/apps"

/* Whether `base`, with links resolved, is `path` or below it. */
static bool holds(const char *path, const char *base)
{
	OWNED char *real = realpath(base, NULL);

	return real && grant_is_in(real, path);
}

/* The home that the machine knows: the variable may be another one, and services and cron have none. */
static bool holds_account(const char *path, uid_t uid)
{
	OWNED_FD file = open(PASSWD, O_RDONLY | O_CLOEXEC);
	OWNED char *text = malloc(PASSWD_MOST + 1);
	struct failure ignored = { 0 };
	struct account user;
	char number[16];

	if (file < 0 || !text)
		return false;
	ssize_t n = pread_full(file, text, PASSWD_MOST, 0);
	text[n > 0 ? n : 0] = 0;
	snprintf(number, sizeof number, "%u", (unsigned)uid);
	return account_find(&user, number, text, "", &ignored) == 0 && holds(path, user.home);
}

/* Where programs meet: sockets of others are there. */
static bool is_shared(const struct grants *grants, const char *path)
{
	static const char *const shared[] = { "/tmp", "/run", "/var/tmp", "/dev/shm" };
	char runtime[32];

	for (size_t i = 0; i < sizeof shared / sizeof *shared; i++)
		if (grant_is_in(shared[i], path))
			return true;
	snprintf(runtime, sizeof runtime, "/run/user/%u", (unsigned)grants->session->uid);
	return grant_is_in(runtime, path) ||
	       (grants->runtime && grant_is_in(grants->runtime, path));
}

/* The home as a whole is given by its own word alone, and what users and programs share by its path. */
int grants_add_cwd(struct grants *grants, unsigned rights, struct failure *failure)
{
	const char *cwd = grants->cwd;

	if (!cwd || is_shared(grants, cwd) || (grants->home && grant_is_in(grants->home, cwd)) ||
	    holds_account(cwd, grants->session->uid))
		return 0;
	return grants_add(grants, cwd, rights, failure);
}

/* A directory that a variable names, or of the home. Returns false where there is neither. */
static bool user_directory(const struct grants *grants, const char *value, const char *fallback,
			   char *path, size_t size)
{
	int n = value && *value == '/' ? snprintf(path, size, "%s", value) :
		grants->home	       ? snprintf(path, size, "%s/%s", grants->home, fallback) :
					 -1;

	return n > 0 && (size_t)n < size;
}

/* XDG_DOWNLOAD_DIR="$HOME/Downloads" in a file of such lines. Returns what stands behind $HOME, or the path. */
static const char *read_download_line(char *text)
{
	static const char name[] = "XDG_DOWNLOAD_DIR=\"";
	char *line = strncmp(text, name, sizeof name - 1) == 0 ? text : NULL;

	if (!line) {
		char at[sizeof name + 1] = "\n";
		memcpy(at + 1, name, sizeof name);
		line = (char *)(uintptr_t)find_words(text, at);
		line = line ? line + 1 : NULL;
	}
	if (!line)
		return NULL;
	line += sizeof name - 1;
	line[strcspn(line, "\"\n")] = 0;
	return line;
}

int grants_add_downloads(struct grants *grants, unsigned rights, struct failure *failure)
{
	static const char variable[] = "$HOME/";
	char path[PATH_MAX], text[4096] = "";

	if (!grants->home ||
	    !user_directory(grants, grants->session->config, ".config", path, sizeof path - 16))
		return 0;
	strcat(path, "/user-dirs.dirs");
	OWNED_FD file = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = file < 0 ? -1 : pread_full(file, text, sizeof text - 1, 0);
	text[n > 0 ? n : 0] = 0;
	const char *said = read_download_line(text);
	bool below = !said || strncmp(said, variable, sizeof variable - 1) == 0;
	/* "$HOME/" says that there is none. */
	if (said && (below ? !said[sizeof variable - 1] : *said != '/'))
		return 0;
	if (below)
		snprintf(path, sizeof path, "%s/%s", grants->home,
			 said ? said + sizeof variable - 1 : "Downloads");
	return grants_add(grants, below ? path : said, rights, failure);
}

/* Each component of it below the home or what a variable names, as programs make them. */
static void make(char *path)
{
	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = 0;
		mkdir(path, 0700);
		*slash = '/';
	}
	mkdir(path, 0700);
}

/* What is in it, and what names that to programs. */
static const char *const app_data[][2] = {
	{ "XDG_DATA_HOME", "data" },
	{ "XDG_CONFIG_HOME", "config" },
	{ "XDG_CACHE_HOME", "cache" },
	{ "XDG_STATE_HOME", "state" },
};

#define APP_DATA_COUNT (sizeof app_data / sizeof *app_data)

int grants_add_app_data(struct grants *grants, const char *name, unsigned rights,
			struct failure *failure)
{
	char path[PATH_MAX];

	if (!name || strchr(name, '/') || *name == '.' ||
	    !user_directory(grants, grants->session->data, ".local/share", path,
			    sizeof path - NAME_MAX - sizeof APPS - 8))
		return 0;
	/* Under a name that the bundle has given itself: beside directories of other programs it could be theirs. */
	size_t length = strlen(path);
	snprintf(path + length, sizeof path - length, "/" APPS "/%s", name);
	length = strlen(path);
	for (size_t i = 0; rights & GRANT_WRITE && i < APP_DATA_COUNT; i++) {
		snprintf(path + length, sizeof path - length, "/%s", app_data[i][1]);
		if (access(path, F_OK) < 0)
			make(path);
		path[length] = 0;
	}
	if (access(path, F_OK) < 0)
		return 0;
	grants->app_data = realpath(path, NULL);
	return grants_add(grants, path, rights, failure);
}

int grants_name_app_data(const struct grants *grants)
{
	char path[PATH_MAX];

	for (size_t i = 0; grants->app_data && i < APP_DATA_COUNT; i++) {
		snprintf(path, sizeof path, "%s/%s", grants->app_data, app_data[i][1]);
		if (setenv(app_data[i][0], path, 1) < 0)
			return -1;
	}
	return 0;
}
