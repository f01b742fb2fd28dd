/* A manifest, with the checksum put right, which would keep nearly every change out. */
#include "bundle/manifest.h"

#include <lzma.h>
#include <string.h>

#include "base/bytes.h"
#include "free_manifest.h"
#include "target.h"

#define CHECKSUM_AT 20

static char bytes[FUSELAGE_MANIFEST_MAX_SIZE];

static void put_checksum(size_t size)
{
	uint8_t *raw = (uint8_t *)bytes;

	if (size < FUSELAGE_MANIFEST_HEADER_SIZE)
		return;
	uint32_t total = le32(raw + 12);
	if (total < FUSELAGE_MANIFEST_HEADER_SIZE || total > size)
		return;
	uint32_t sum = lzma_crc32(raw + FUSELAGE_MANIFEST_HEADER_SIZE,
				  total - FUSELAGE_MANIFEST_HEADER_SIZE, 0);
	for (unsigned i = 0; i < 4; i++)
		raw[CHECKSUM_AT + i] = (uint8_t)(sum >> 8 * i);
}

/* Reads each string to its end, which ASan watches. */
static void check_list(const char *const *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		require(strlen(list[i]) < sizeof bytes);
	require(!list[count]);
}

static void check(const struct manifest *manifest)
{
	require(*manifest->name && !strchr(manifest->name, '/') &&
		strcmp(manifest->name, "..") != 0);
	require(!manifest->entry || (*manifest->entry && *manifest->entry != '/'));
	require((manifest->entry || manifest->root.is_root) == !manifest->invocation_count);
	check_list(manifest->root.cmd.texts, manifest->root.cmd.count);
	check_list(manifest->root.run.texts, manifest->root.run.count);
	check_list(manifest->root.volumes.texts, manifest->root.volumes.count);
	require(!manifest->root.workdir || *manifest->root.workdir == '/');
	require(!manifest->root.user || (*manifest->root.user && *manifest->root.user != ':'));
	require(!manifest->mount_at || (strncmp(manifest->mount_at, "/run/fuselage/", 14) == 0 &&
					!strchr(manifest->mount_at + 14, '/')));
	require(!manifest->needs || *manifest->needs);
	require(manifest->image_size > 0 && manifest->image_size <= INT64_MAX);
	require(strlen(manifest->version) < sizeof bytes && strlen(manifest->arch) < sizeof bytes);
	check_list(manifest->args, manifest->arg_count);
	check_list(manifest->invocation, manifest->invocation_count);
	for (const struct variable *one = manifest->variables; one->text; one++) {
		const char *equals = strchr(one->text, '=');
		require(*one->text && (equals ? equals > one->text && *equals :
						one->tag == FUSELAGE_MANIFEST_UNSET));
	}
	require(!manifest->variables[manifest->variable_count].text);
	for (size_t i = 0; i < manifest->map_count; i++) {
		const struct map *map = &manifest->maps[i];
		require(map->path[0] == '/' && map->path[1] && !strstr(map->path, "/../") &&
			!strstr(map->path, "//") && !path_is_within(map->path, "/proc"));
		require(map->source_size > 0 && map->source[0] != '/' &&
			map->source + map->source_size < map->path);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct failure failure = { 0 };
	struct manifest manifest;

	if (size > sizeof bytes)
		return -1;
	memcpy(bytes, data, size);
	put_checksum(size);
	int fd = input_file((const uint8_t *)bytes, size);
	int found = manifest_read(fd, "f", 0, size, &manifest, &failure);
	require((found < 0) == (failure.code != FUSELAGE_OK));
	if (found == 1)
		check(&manifest);
	free_manifest(&manifest);
	return 0;
}
