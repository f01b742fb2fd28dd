/* The state that belongs to one thread of reading. */
#include "squashfs/reader.h"

#include <stdlib.h>

struct sqfs_reader *sqfs_reader_share(const struct sqfs *fs, struct sqfs_cache *cache)
{
	struct sqfs_reader *reader = calloc(1, sizeof *reader);

	if (!reader)
		return NULL;
	reader->fs = fs;
	reader->cache = cache;
	reader->input = malloc(fs->super.block_size);
	reader->codec = codec_new(fs->super.compressor);
	if (!reader->input || !reader->codec) {
		sqfs_reader_free(reader);
		return NULL;
	}
	return reader;
}

struct sqfs_reader *sqfs_reader_new(const struct sqfs *fs, size_t cache_bytes)
{
	struct sqfs_cache *cache = sqfs_cache_new(fs, cache_bytes, 1);
	struct sqfs_reader *reader = cache ? sqfs_reader_share(fs, cache) : NULL;

	if (!reader) {
		sqfs_cache_free(cache);
		return NULL;
	}
	reader->own_cache = true;
	return reader;
}

void sqfs_reader_free(struct sqfs_reader *reader)
{
	if (!reader)
		return;
	for (size_t i = 0; i < READER_META; i++)
		if (reader->meta[i])
			block_release(&reader->cache->meta, reader->meta[i]);
	if (reader->data)
		block_release(&reader->cache->data, reader->data);
	for (size_t i = 0; i < MAP_SLOTS; i++)
		free(reader->maps[i].marks);
	if (reader->own_cache)
		sqfs_cache_free(reader->cache);
	codec_free(reader->codec);
	free(reader->input);
	free(reader);
}

void sqfs_before_load(struct sqfs_reader *reader, void (*notify)(void *), void *argument)
{
	reader->before_load = notify;
	reader->before_load_argument = argument;
}

const struct sqfs *sqfs_reader_fs(const struct sqfs_reader *reader)
{
	return reader->fs;
}
