/* --appimage-*: what tools ask of any AppImage. Streams and formats are those that they parse. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cli/appimage_options.h"
#include "base/bytes.h"
#include "base/inherited.h"
#include "base/owned.h"
#include "bundle/elf_layout.h"
#include "start/janitor.h"
#include "cli/bundle_options.h"
#include "cli/extract_command.h"
#include "cli/help.h"
#include "generated/sections.h"

#define PREFIX "--appimage-"
#define SECTION_MAX 65536

static int show_help(const struct bundle *bundle)
{
	bundle_options_help(stderr, bundle);
	fputs(help_text(HELP_APPIMAGE), stderr);
	return 1;
}

/* A section holds a text, filled up with NUL. */
static int print_section(const struct bundle *bundle, const char *section, struct failure *failure)
{
	struct elf_layout layout;

	if (elf_read_layout(bundle->file, bundle->path, section, &layout, failure) < 0)
		return -1;
	size_t size = layout.section_size < SECTION_MAX ? (size_t)layout.section_size : SECTION_MAX;
	OWNED char *text = calloc(1, size + 1);
	if (!text)
		return fail(failure, FUSELAGE_E_OUT_OF_MEMORY, "%s", section);
	if (pread_full(bundle->file, text, size, layout.section) < 0)
		return fail_errno(failure, FUSELAGE_E_SELF_OPEN, "%s", bundle->path);
	puts(text);
	return 1;
}

static int make_portable(const struct bundle *bundle, const char *name, struct failure *failure)
{
	char path[PATH_MAX + 16];
	bool made;

	snprintf(path, sizeof path, "%s.%s", bundle->path, name);
	made = mkdir(path, 0700) == 0;
	if (!made && errno != EEXIST)
		return fail_errno(failure, FUSELAGE_E_APPIMAGE_PORTABLE, "%s", path);
	fprintf(stderr, "Portable %s directory %s at %s\n", name,
		made ? "created" : "was there before", path);
	return 1;
}

int appimage_hold(const char *target, const struct procdir *procdir, struct failure *failure)
{
	uint64_t endings = inherited_endings();
	int number;

	inherited_mask(SIG_BLOCK, endings);
	puts(target);
	if (bundle_options_flush(failure) < 0)
		return -1;
	do
		number = (int)syscall(SYS_rt_sigtimedwait, &endings, NULL, NULL, sizeof endings);
	while (number < 0);
	janitor_finish(procdir);
	inherited_mask(SIG_UNBLOCK, endings);
	return raise(number);
}

static int extract(struct bundle *bundle, char **patterns, struct failure *failure)
{
	struct extract_request request = { .patterns = patterns, .merge = true };

	if (extract_options(patterns, &request, failure) < 0)
		return -1;
	return extract_bundle(bundle, "squashfs-root", &request, failure) < 0 ? -1 : 1;
}

/* Those that take nothing behind them. */
static int dispatch(const struct bundle *bundle, const char *option, struct failure *failure)
{
	if (strcmp(option, "help") == 0)
		return show_help(bundle);
	if (strcmp(option, "offset") == 0) {
		printf("%" PRIu64 "\n", bundle->image_offset);
		return 1;
	}
	if (strcmp(option, "portable-home") == 0 || strcmp(option, "portable-config") == 0)
		return make_portable(bundle, option + sizeof "portable", failure);
	if (strcmp(option, "signature") == 0)
		return print_section(bundle, SECTION_SIGNATURE, failure);
	if (strcmp(option, "updateinfo") == 0 || strcmp(option, "updateinformation") == 0)
		return print_section(bundle, SECTION_UPDATE_INFO, failure);
	if (strcmp(option, "version") == 0) {
		fputs("AppImage runtime version: fuselage " FUSELAGE_VERSION "\n", stderr);
		return 1;
	}
	return help_refuse(HELP_APPIMAGE, PREFIX, option - (sizeof PREFIX - 1),
			   FUSELAGE_E_APPIMAGE_OPTION, "an AppImage", failure);
}

int appimage_options(const struct caller *caller, struct bundle *bundle, char ***args,
		     struct failure *failure)
{
	const char *first = (*args)[0];

	if (!first || strncmp(first, PREFIX, sizeof PREFIX - 1) != 0)
		return 0;
	first += sizeof PREFIX - 1;
	if (strcmp(first, "extract-and-run") == 0) {
		bundle->extract_and_run = true;
		++*args;
		return 0;
	}
	if (privileges_drop(caller, failure) < 0)
		return -1;
	int result = strcmp(first, "extract") == 0 ? extract(bundle, *args + 1, failure) :
						     dispatch(bundle, first, failure);
	return result > 0 && bundle_options_flush(failure) < 0 ? -1 : result;
}
