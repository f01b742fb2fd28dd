/*
 * Command lines: the options of an AppImage, of a bundle, of the runner and of a mount. The first
 * byte says which, then come arguments, each with its NUL. Patterns of what is to be extracted meet
 * some paths; nothing is extracted.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libc/match.h"
#include "fuse/fuse_options.h"
#include "cli/appimage_options.h"
#include "cli/runner_options.h"
#include "cli/bundle_options.h"
#include "target.h"
#include "cli/extract_command.h"
#include "generated/names.h"

#define ARGUMENTS_MAX 64
#define TEXT_MAX 4096

static char text[TEXT_MAX + 1];
static char *arguments[ARGUMENTS_MAX + 1];
static struct bundle bundle;

int __wrap_extract_bundle(struct bundle *of, const char *target, const struct extract_request *request,
		  struct failure *failure);

int __wrap_extract_bundle(struct bundle *of, const char *target, const struct extract_request *request,
		  struct failure *failure)
{
	static const char *const paths[] = { "usr/bin/app", "a/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/b",
					     "\303\244\377", "" };

	require(of == &bundle);
	if (!*target)
		return fail(failure, FUSELAGE_E_EXTRACT_FAILED, "not a usable path");
	for (char **pattern = request->patterns; pattern && *pattern; pattern++)
		for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
			if (path_matches(*pattern, paths[i]) && strcmp(*pattern, "no") == 0)
				return fail(failure, FUSELAGE_E_OUTPUT, "no");
	return 0;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	/* What --appimage-portable-home makes goes where the target may write. */
	require(realpath(".", bundle.path));
	require(strlen(bundle.path) + 8 < sizeof bundle.path);
	strcat(bundle.path, "/app");
	bundle.file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	bundle.manifest = (struct manifest){
		.name = "app",
		.entry = "app",
		.version = "1",
		.arch = "x",
		.runtime_options = true,
	};
	bundle.manifest.invocation = bundle.manifest.args = calloc(1, sizeof(char *));
	bundle.fs.super.compressor = SQFS_ZSTD;
	return 0;
}

static void split(const uint8_t *data, size_t size)
{
	size_t count = 0;

	memcpy(text, data, size);
	text[size] = 0;
	for (char *at = text; at < text + size && count < ARGUMENTS_MAX; at += strlen(at) + 1)
		arguments[count++] = at;
	arguments[count] = NULL;
}

static void mount_options(struct failure *failure)
{
	struct fuse_options options;
	const char *where = arguments[0] && arguments[1] ? ENV_FUSELAGE_FUSE :
							   FUSE_OPTIONS_MOUNT;

	fuse_options_init(&options);
	if (fuse_options_parse(&options, where, arguments[0], failure) < 0) {
		require(failure->code == FUSELAGE_E_FUSE_OPTION);
		return;
	}
	require(options.cache_bytes >= 1 << 20 && options.cache_bytes <= UINT64_C(1) << 40);
	require(strcmp(where, FUSE_OPTIONS_MOUNT) == 0 ||
		(!options.allow_other && options.uid == (uid_t)-1));
}

static void runner(struct failure *failure)
{
	struct invocation invocation;

	if (runner_options_parse(&invocation, arguments, "/self", failure) == 0) {
		require(invocation.command || invocation.help || invocation.version);
		for (size_t i = 0; i < invocation.count; i++)
			require(*invocation.archives[i].name &&
				!strchr(invocation.archives[i].name, '/'));
		for (size_t i = 0; i < invocation.map_count; i++)
			require(invocation.help || invocation.version ||
				(invocation.maps[i].archive < invocation.count &&
				 invocation.maps[i].source_size &&
				 !strstr(invocation.maps[i].path, "/../")));
		require(invocation.run || *invocation.command || invocation.help ||
			invocation.version || invocation.doctor || invocation.mount.file);
	}
	for (size_t i = 0; i < invocation.count; i++)
		archive_close(&invocation.archives[i]);
	free(invocation.archives);
	free(invocation.variables);
	free(invocation.maps);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct failure failure = { 0 };
	const struct caller caller = { 0 };
	char **left = arguments;
	int result;

	if (size == 0 || size > TEXT_MAX)
		return -1;
	split(data + 1, size - 1);
	bundle.extract_and_run = false;
	switch (data[0] % 4) {
	case 0:
		result = appimage_options(&caller, &bundle, &left, &failure);
		require((result < 0) == (failure.code != FUSELAGE_OK));
		require(left == arguments || bundle.extract_and_run);
		break;
	case 1:
		result = bundle_options_run(&bundle, &caller, arguments, &failure);
		require((result < 0) == (failure.code != FUSELAGE_OK));
		break;
	case 2:
		runner(&failure);
		break;
	default:
		mount_options(&failure);
	}
	return 0;
}
