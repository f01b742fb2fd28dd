/*
 * A squashfs image. Changes are of any bytes, or, where the tables are stored, of the fields of its
 * structures.
 */
#include <string.h>

#include "../fields.h"
#include "../walk.h"
#include "squashfs/squashfs.h"
#include "target.h"

#define BYTES_MAX (1u << 20) /* of contents that are read */

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned seed)
{
	uint64_t state = seed + UINT64_C(0x9e3779b97f4a7c15);

	if (seed % 4 == 0 || fields_find(data, size) == 0)
		return LLVMFuzzerMutate(data, size, most);
	fields_change(data, &state);
	return size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char fault[SQFS_FAULT_MAX];
	struct sqfs fs;
	int error = sqfs_open(&fs, input_file(data, size), 0, 0, fault);

	if (error) {
		require(error < 0 && memchr(fault, 0, sizeof fault));
		return 0;
	}
	struct sqfs_reader *reader = sqfs_reader_new(&fs, 3 << 17);
	require(reader);
	walk(reader, BYTES_MAX);
	sqfs_reader_free(reader);
	return 0;
}
