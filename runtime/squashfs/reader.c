/* The state that belongs to one thread of reading. */
#include "squashfs/reader.h"

#include <stdlib.h>

struct sqfs_reader *sqfs_reader_new(const struct sqfs *fs, size_t cache_bytes)
{
	struct sqfs_reader *reader = calloc(1, sizeof *reader);

	if (!reader)
		return NULL;
	reader->fs = fs;
	reader->data_slots = cache_bytes / fs->super.block_size;
	if (reader->data_slots == 0)
		reader->data_slots = 1;
	reader->data = calloc(reader->data_slots, sizeof *reader->data);
	reader->input = malloc(fs->super.block_size);
	reader->codec = codec_new(fs->super.compressor);
	if (!reader->data || !reader->input || !reader->codec) {
		sqfs_reader_free(reader);
		return NULL;
	}
	return reader;
}

void sqfs_reader_free(struct sqfs_reader *reader)
{
	if (!reader)
		return;
	for (size_t i = 0; i < META_SLOTS; i++)
		free(reader->meta[i].data);
	for (size_t i = 0; reader->data && i < reader->data_slots; i++)
		free(reader->data[i].data);
	for (size_t i = 0; i < MAP_SLOTS; i++)
		free(reader->maps[i].marks);
	codec_free(reader->codec);
	free(reader->input);
	free(reader->data);
	free(reader);
}

const struct sqfs *sqfs_reader_fs(const struct sqfs_reader *reader)
{
	return reader->fs;
}
