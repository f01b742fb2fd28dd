#include "cli/libc_report.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/show.h"
#include "base/owned.h"
#include "libc/find_words.h"
#include "stubs/host_libc.h"
#include "generated/names.h"

/* glibc counts its versions by the second number; it makes two a year. */
#define NEWEST_MINOR 99

/* What stands behind ", NAME " in a line of the manifest, up to the next comma; "" for none. */
static void read_field(const char *line, const char *name, char *value, size_t size)
{
	const char *found = find_words(line, name);
	size_t length = found ? strcspn(found += strlen(name), ",") : 0;

	if (length >= size)
		length = size - 1;
	memcpy(value, found ? found : "", length);
	value[length] = 0;
}

/* The folder that the dynamic linker is in in truth; the libc is there too. */
static void read_folder(int loader, char *folder, size_t size)
{
	char link[32];

	snprintf(link, sizeof link, "/proc/self/fd/%d", loader);
	ssize_t n = readlink(link, folder, size - 1);
	folder[n > 0 ? n : 0] = 0;
	char *slash = strrchr(folder, '/');
	if (slash)
		*slash = 0;
}

/* The newest version that the host's libc defines, as the number behind "GLIBC_2."; -1 for none. */
static int newest_minor(int loader, const char *name)
{
	char version[16];
	int minor = NEWEST_MINOR;

	do
		snprintf(version, sizeof version, "GLIBC_2.%d", minor);
	while (!host_libc_defines(loader, name, version) && minor-- > 0);
	return minor;
}

/* What is meant for the host's libc is not loaded into another one. */
static void report_preload(FILE *out)
{
	struct stat st;
	const char *what = NULL;

	if (getenv("LD_PRELOAD"))
		what = "LD_PRELOAD";
	else if (getenv("LD_AUDIT"))
		what = "LD_AUDIT";
	else if (stat("/etc/ld.so.preload", &st) == 0 && st.st_size)
		what = "/etc/ld.so.preload";
	if (what)
		fprintf(out,
			"%-11s   what %s names is for the host's libc: only programs of the host "
			"load it\n",
			"", what);
}

/* Says what the host has. Returns whether its libc starts the programs. */
static bool report_host(const char *packed, const char *loader, const char *needs, FILE *out)
{
	char versions[256], folder[PATH_MAX];
	OWNED_FD fd = open(loader, O_RDONLY | O_CLOEXEC);
	int minor = fd < 0 ? -1 : newest_minor(fd, loader);

	if (minor < 0) {
		fprintf(out, "%-11s the packed %s: the host has none for %s\n", "libc", packed,
			loader);
		return false;
	}
	snprintf(versions, sizeof versions, "%s", needs);
	for (char *at = versions; (at = strchr(at, ' '));)
		*at = ':';
	bool enough = host_libc_defines(fd, loader, versions);
	read_folder(fd, folder, sizeof folder);
	fprintf(out, "%-11s the %s%s: %s/libc.so.6 has GLIBC_2.%d, the app needs %s\n", "libc",
		enough ? "host's" : "packed ", enough ? "" : packed, folder, minor, needs);
	return enough;
}

static void report_one(const char *line, FILE *out)
{
	char shown[PATH_MAX + 512], packed[48], loader[PATH_MAX], needs[256];
	const char *variable = getenv(ENV_FUSELAGE_LIBC);
	const char *forced = variable ? variable : ""; /* as the loader stub reads it */
	bool is_auto = strcmp(forced, "auto") == 0;

	/* As a terminal may show it; a loader or versions with such bytes are no host's. */
	(void)show_text(shown, sizeof shown, line);
	snprintf(packed, sizeof packed, "%.*s", (int)strcspn(shown, ","), shown);
	read_field(shown, ", loader ", loader, sizeof loader);
	read_field(shown, ", needs ", needs, sizeof needs);
	if (strcmp(forced, "host") == 0) {
		fprintf(out, "%-11s the host's, by " ENV_FUSELAGE_LIBC "\n", "libc");
		return;
	}
	if (*forced && !is_auto && strcmp(forced, "packed") != 0) {
		fprintf(out, "%-11s none: expected " ENV_FUSELAGE_LIBC "=auto, host or packed\n",
			"libc");
		return;
	}
	if (*forced && !is_auto)
		fprintf(out, "%-11s the packed %s, by " ENV_FUSELAGE_LIBC "\n", "libc", packed);
	else if (!is_auto && !find_words(line, ", auto,"))
		fprintf(out, "%-11s the packed %s, on every machine\n", "libc", packed);
	else if (report_host(packed, loader, needs, out))
		return;
	report_preload(out);
}

void libc_report(const struct manifest *manifest, FILE *out)
{
	for (size_t i = 0; i < manifest->libc_count; i++)
		report_one(manifest->libcs[i], out);
}
