/* The run file of a virtual machine: records of the host's, each ended by a NUL byte. */
#include "guest/run_file.h"

#include <string.h>

#include "target.h"

static void free_lists(struct run_file *run)
{
	free(run->args.texts);
	free(run->variables.texts);
	free(run->words.texts);
	free(run->nameservers.texts);
	free(run->volumes.texts);
}

static size_t check_list(const struct text_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		require(strlen(list->texts[i]) < 4096);
	require(!list->texts[list->count]);
	return list->count;
}

/* Every record has its place, and only what may stand several times does. */
static void check(const struct run_file *run, const char *bytes, size_t size)
{
	const char *const texts[] = { run->cwd,	     run->time,	   run->seed,
				      run->hostname, run->address, run->gateway };
	size_t records = 0, told = 0, once = 0;

	for (size_t i = 0; i < size; i++)
		records += bytes[i] == 0;
	told += check_list(&run->args) + check_list(&run->variables) + check_list(&run->words) +
		check_list(&run->nameservers) + check_list(&run->volumes);
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		require(!texts[i] || (*texts[i] && strlen(texts[i]) < 4096));
		once += texts[i] != NULL;
	}
	once += (size_t)run->has_terminal + run->has_root + 1;
	/* Besides these two, which have a value without a record too. */
	require(told + once <= records && records <= told + once + 2);
	require(run->rows <= UINT16_MAX && run->columns <= UINT16_MAX);
	for (size_t i = 0; i < run->variables.count; i++)
		require(strchr(run->variables.texts[i], '=') > run->variables.texts[i]);
}

/* Of a copy that ends where it ends, so that ASan sees every byte behind it. */
static int parse(const uint8_t *data, size_t size)
{
	struct failure failure = { 0 };
	struct run_file run = { 0 };
	char *bytes = malloc(size);

	require(bytes || size == 0);
	if (size > 0)
		memcpy(bytes, data, size);
	int result = run_file_parse(&run, bytes, size, &failure);
	require((result < 0) == (failure.code != FUSELAGE_OK));
	require(result == 0 || failure.code == FUSELAGE_E_GUEST_START);
	if (result == 0)
		check(&run, bytes, size);
	failure_clear(&failure);
	free_lists(&run);
	free(bytes);
	return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (parse(data, size) < 0)
		return 0;
	/* Whole records are a file of their own, parts of one are none. */
	for (size_t cut = 0; cut < size; cut++)
		require((parse(data, cut) == 0) == (cut > 0 && data[cut - 1] == 0));
	return 0;
}
