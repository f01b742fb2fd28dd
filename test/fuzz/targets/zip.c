/*
 * A zip file: its lists, each of its contents, and the image that is made of it, which our own
 * reader has to take.
 */
#include "zip/zip.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../walk.h"
#include "squashfs/squashfs.h"
#include "target.h"
#include "zip/zip_reader.h"
#include "squashfs_writer/zip_squashfs.h"

#define IMAGE_MAX (4u << 20)
#define BYTES_MAX (1u << 20)

static int take(void *context, const uint8_t *data, size_t size, struct failure *failure)
{
	uint64_t *taken = context;

	(void)data;
	(void)failure;
	require(size > 0 && size <= ZIP_OUTPUT_BYTES);
	*taken += size;
	return 0;
}

static void read_all(struct zip *zip)
{
	uint64_t budget = IMAGE_MAX;

	for (size_t i = 0; i < zip->count; i++) {
		struct zip_entry *entry = &zip->entries[i];
		struct failure failure = { 0 };
		char target[PATH_MAX];
		uint64_t taken = 0;
		if (entry->size > budget)
			continue;
		budget -= entry->size;
		if (zip_type(entry) == S_IFLNK && zip_readlink(zip, entry, target, &failure) == 0)
			require(strlen(target) < sizeof target);
		if (zip_type(entry) == S_IFREG && zip_read(zip, entry, take, &taken, &failure) == 0)
			require(taken == entry->size);
	}
}

static uint64_t total(const struct zip *zip)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < zip->count && sum <= IMAGE_MAX; i++)
		sum += zip->entries[i].size;
	return sum;
}

static void make_image(struct zip *zip)
{
	static int image = -1;
	struct failure failure = { 0 };
	char fault[SQFS_FAULT_MAX];
	struct sqfs_inode root;
	struct sqfs fs;

	if (image < 0)
		image = memfd_create("image", MFD_CLOEXEC);
	require(ftruncate(image, 0) == 0 && lseek(image, 0, SEEK_SET) == 0);
	if (zip_to_squashfs(zip, image, 0, 0, &failure) < 0) {
		require(failure.code != FUSELAGE_OK);
		return;
	}
	require(sqfs_open(&fs, image, 0, 0, fault) == 0);
	struct sqfs_reader *reader = sqfs_reader_new(&fs, 3 << 17);
	require(reader && sqfs_inode_read(reader, fs.super.root_ref, &root) == 0);
	walk(reader, BYTES_MAX);
	sqfs_reader_free(reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct failure failure = { 0 };
	struct zip *zip;

	if (zip_open(input_file(data, size), size, "f", &zip, &failure) < 0) {
		require(!zip && failure.code != FUSELAGE_OK);
		return 0;
	}
	read_all(zip);
	if (total(zip) <= IMAGE_MAX)
		make_image(zip);
	zip_free(zip);
	return 0;
}
