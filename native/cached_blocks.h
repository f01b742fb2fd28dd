// Compressed blocks of a file that were kept from an earlier image, so that a large file which is
// packed again and again (an interpreter) is compressed once.
//
//   u64 number of blocks, u32 size word of each, the blocks; little-endian
//
// Blocks are kept as the compressor made them, before they are made fit for a place in an image:
// an image gets the same bytes whether its blocks were kept or made. Who hands a file in has
// checked that it is whole and that it belongs to the file, codec, level and block size. What a
// block holds is compared with the file all the same: one that is anything else is made anew, and
// the file of cached blocks is removed.
#ifndef NATIVE_CACHED_BLOCKS_H
#define NATIVE_CACHED_BLOCKS_H

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tasks.h"

namespace native
{

// Reading is safe from several threads.
class CachedBlocks
{
public:
	// A file of exactly `count` blocks; null, and the file is removed, when it is none.
	static std::shared_ptr<const CachedBlocks> open(const std::string &path, uint64_t count,
							uint32_t block_size);
	~CachedBlocks();
	CachedBlocks(const CachedBlocks &) = delete;
	CachedBlocks &operator=(const CachedBlocks &) = delete;

	// Takes the block when it holds the `size` bytes of the file that are in the worker's
	// input; else it is not touched, and the file of cached blocks is removed.
	bool take(uint64_t index, size_t size, Worker &worker, Block &block) const;

private:
	// These throw Failure.
	CachedBlocks(const std::string &path, uint64_t count, uint32_t block_size);
	void read(uint64_t index, Block &block) const;
	void read_all(uint8_t *buffer, size_t size, uint64_t offset) const;

	std::string path_;
	int fd_;
	std::vector<uint32_t> words_;
	std::vector<uint64_t> offsets_;
};

// Writes such a file, blocks in order. All functions throw Failure of kind `write`.
class BlockHolder
{
public:
	// `path` must not exist.
	BlockHolder(const std::string &path, uint64_t count);
	~BlockHolder();
	BlockHolder(const BlockHolder &) = delete;
	BlockHolder &operator=(const BlockHolder &) = delete;

	void append(const Block &block);
	void finish();

private:
	void write_all(const uint8_t *data, size_t size, uint64_t offset);

	std::string path_;
	int fd_;
	uint64_t end_;
	std::vector<uint32_t> words_;
};

} // namespace native

#endif
