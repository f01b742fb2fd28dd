/* What the words downloads and app-data stand for: the user's own directories, by freedesktop.org's rules. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/owned.h"
#include "libc/find_words.h"
#include "sandbox/grants.h"

/* A directory of a variable, or of the home. Returns false where there is neither. */
static bool user_directory(const struct grants *grants, const char *variable, const char *fallback,
			   char *path, size_t size)
{
	const char *value = getenv(variable);
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
	char path[PATH_MAX], text[4096];

	if (!grants->home ||
	    !user_directory(grants, "XDG_CONFIG_HOME", ".config", path, sizeof path - 16))
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

int grants_add_app_data(struct grants *grants, const char *name, unsigned rights,
			struct failure *failure)
{
	static const char *const places[][2] = {
		{ "XDG_DATA_HOME", ".local/share" },
		{ "XDG_CONFIG_HOME", ".config" },
		{ "XDG_CACHE_HOME", ".cache" },
	};
	char path[PATH_MAX];

	if (!name || strchr(name, '/') || *name == '.')
		return 0;
	for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
		if (!user_directory(grants, places[i][0], places[i][1], path,
				    sizeof path - NAME_MAX - 2))
			continue;
		size_t length = strlen(path);
		snprintf(path + length, sizeof path - length, "/%s", name);
		if (rights & GRANT_WRITE && access(path, F_OK) < 0)
			make(path);
		if (grants_add(grants, path, rights, failure) < 0)
			return -1;
	}
	return 0;
}
