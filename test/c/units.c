/*
 * Single functions of the runtime, for tests that compare them with others that do the same.
 *
 *   units base64                 decodes standard input
 *   units sha256 SIZE            of standard input, given in pieces of SIZE bytes
 *   units sort SIZE              records of SIZE bytes from standard input, by their bytes
 *   units merge FROM TO          moves what is in one directory into the other
 *   units remove NAME            a tree
 *   units manifest FILE AT SIZE  what is recorded there, a line each
 *   units maps                   lists of "DIR=PATH", a line each: as they are read, or what is wrong
 *   units starts                 the runs of a start list: NUMBER FIRST PAGES, a line each
 *   units starts write           such lines as a start list
 *   units elf FILE SECTION       image, end, position and size of the section
 *
 * A failure of the function is printed on standard error; the exit status is then 1.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/fail.h"
#include "base/merge.h"
#include "base/remove.h"
#include "bundle/elf_layout.h"
#include "bundle/map.h"
#include "bundle/manifest.h"
#include "fuse/start_list.h"
#include "libc/base64.h"
#include "libc/sha256.h"
#include "libc/sort.h"

#define INPUT_MAX (1u << 22)

static unsigned char input[INPUT_MAX + 1];

static size_t read_input(void)
{
	size_t used = 0;
	ssize_t n;

	while ((n = read(STDIN_FILENO, input + used, INPUT_MAX - used)) > 0)
		used += (size_t)n;
	return used;
}

static int report(const struct failure *failure)
{
	fprintf(stderr, "%s\n", failure->text);
	return 1;
}

static int run_starts(bool write_list)
{
	static struct start_run runs[INPUT_MAX / 8];
	static uint8_t out[START_LIST_BYTES];
	size_t size = read_input(), count = 0;
	struct start_list list;

	if (!write_list) {
		start_list_open(&list, input, size);
		while (start_list_next(&list, runs))
			printf("%" PRIu32 " %" PRIu64 " %" PRIu64 "\n", runs->number, runs->first,
			       runs->pages);
		return 0;
	}
	for (char *line = strtok((char *)input, "\n"); line; line = strtok(NULL, "\n"), count++)
		if (sscanf(line, "%" SCNu32 " %" SCNu64 " %" SCNu64, &runs[count].number,
			   &runs[count].first, &runs[count].pages) != 3)
			return 2;
	return write_full(STDOUT_FILENO, out, start_list_write(runs, count, out)) < 0;
}

static int run_base64(void)
{
	if (base64_decode(STDIN_FILENO, STDOUT_FILENO) == 0)
		return 0;
	fprintf(stderr, "%s\n", strerror(errno));
	return 1;
}

static int run_sha256(size_t piece)
{
	char text[SHA256_TEXT];
	struct sha256 hash;
	size_t size = read_input();

	sha256_init(&hash);
	for (size_t at = 0; at < size; at += piece)
		sha256_update(&hash, input + at, size - at < piece ? size - at : piece);
	sha256_text(&hash, text);
	puts(text);
	return 0;
}

static size_t record;

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, record);
}

static int run_sort(size_t size)
{
	size_t used = read_input();

	record = size;
	sort(input, used / size, size, compare);
	return write_full(STDOUT_FILENO, input, used) < 0;
}

static int run_merge(const char *from, const char *to)
{
	char name[256] = "";
	int source = open(from, O_RDONLY | O_DIRECTORY);
	int target = open(to, O_RDONLY | O_DIRECTORY);

	if (merge_directory(source, target, name, sizeof name) == 0)
		return 0;
	fprintf(stderr, "%s: %s\n", name, strerror(errno));
	return 1;
}

static void print_list(const char *name, const char **list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		printf("%s=%s\n", name, list[i]);
	if (list[count])
		printf("%s: the list does not end\n", name);
}

static int run_manifest(const char *file, uint64_t position, uint64_t size)
{
	struct manifest manifest = { 0 };
	struct failure failure = { 0 };
	int found = manifest_read(open(file, O_RDONLY), file, position, size, &manifest, &failure);

	if (found < 0)
		return report(&failure);
	if (found == 0) {
		puts("none");
		return 0;
	}
	printf("name=%s\n", manifest.name);
	if (manifest.entry)
		printf("entry=%s\n", manifest.entry);
	if (manifest.mount_at)
		printf("mountAt=%s\n", manifest.mount_at);
	print_list("arg", manifest.args, manifest.arg_count);
	for (size_t i = 0; i < manifest.variable_count; i++)
		printf("%u:%s\n", manifest.variables[i].tag, manifest.variables[i].text);
	if (manifest.variables[manifest.variable_count].text)
		puts("variables: the list does not end");
	if (manifest.invocation)
		print_list("invocation", manifest.invocation, manifest.invocation_count);
	printf("imageSize=%" PRIu64 "\n", manifest.image_size);
	if (manifest.start) {
		printf("start=");
		for (size_t i = 0; i < manifest.start_size; i++)
			printf("%02x", manifest.start[i]);
		printf("\n");
	}
	return 0;
}

/* Each list ends with a line of "--", and what is printed of it with the code of its first failure. */
static int run_maps(void)
{
	static struct map maps[64];
	struct failure failure = { 0 };
	size_t count = 0, size = read_input();

	input[size] = 0;
	for (char *line = (char *)input, *end; (end = strchr(line, '\n')); line = end + 1) {
		*end = 0;
		if (strcmp(line, "--") != 0) {
			if (failure.code != FUSELAGE_OK ||
			    map_parse(&maps[count], line, &failure) < 0)
				continue;
			const struct map *map = &maps[count++];
			printf("%.*s=%s%s%s\n", (int)map->source_size, map->source,
			       map->optional ? "?" : "", map->hides ? "!" : "", map->path);
			continue;
		}
		if (failure.code == FUSELAGE_OK)
			maps_check(maps, count, &failure);
		puts(failure.code == FUSELAGE_OK ? "fine" : failure_known(failure.code)->code);
		failure_clear(&failure);
		count = 0;
	}
	return 0;
}

static int run_elf(const char *file, const char *section)
{
	struct elf_layout layout;
	struct failure failure = { 0 };

	if (elf_read_layout(open(file, O_RDONLY), file, section, &layout, &failure) < 0)
		return report(&failure);
	printf("%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", layout.image, layout.end,
	       layout.section, layout.section_size);
	return 0;
}

int main(int argc, char **argv)
{
	const char *unit = argc > 1 ? argv[1] : "";

	if (strcmp(unit, "base64") == 0)
		return run_base64();
	if (strcmp(unit, "starts") == 0)
		return run_starts(argc == 3);
	if (strcmp(unit, "sha256") == 0 && argc == 3)
		return run_sha256(strtoul(argv[2], NULL, 10));
	if (strcmp(unit, "sort") == 0 && argc == 3)
		return run_sort(strtoul(argv[2], NULL, 10));
	if (strcmp(unit, "merge") == 0 && argc == 4)
		return run_merge(argv[2], argv[3]);
	if (strcmp(unit, "remove") == 0 && argc == 3) {
		remove_tree(AT_FDCWD, argv[2]);
		return 0;
	}
	if (strcmp(unit, "manifest") == 0 && argc == 5)
		return run_manifest(argv[2], strtoull(argv[3], NULL, 10),
				    strtoull(argv[4], NULL, 10));
	if (strcmp(unit, "maps") == 0)
		return run_maps();
	if (strcmp(unit, "elf") == 0 && argc == 4)
		return run_elf(argv[2], argv[3]);
	fprintf(stderr, "units: there is no \"%s\" with %d arguments\n", unit, argc - 2);
	return 2;
}
