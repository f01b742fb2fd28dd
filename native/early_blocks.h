// Blocks that are compressed while what they belong to is still being read: the layers of a container image, say,
// of which nobody knows yet where their files will stand, or whether an upper layer takes them away.
//
// They become a file of kept blocks (block_store.h) for the one image that is written next, which finds
// them there by what they hold. So what was made too early, or not at all, changes no byte of it.
#ifndef NATIVE_EARLY_BLOCKS_H
#define NATIVE_EARLY_BLOCKS_H

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_set>
#include <vector>

#include "block_store.h"
#include "cancellation.h"
#include "codec.h"
#include "pool.h"

namespace native
{

struct EarlySpec {
	StoreSpec store; // what is found in `kept` is not made again
	Compression compression;
	uint32_t block_size = 0; // bytes
	unsigned threads = 1;
};

class EarlyBlocks
{
public:
	EarlyBlocks(EarlySpec spec, std::shared_ptr<Cancellation> cancellation);

	// Takes a copy of a block, unless enough of them wait: whoever reads is never kept waiting,
	// and what is not taken is compressed when the image is written.
	void add(const uint8_t *data, size_t size);

	// Waits for the blocks that were taken, which it need not do for long, and completes the file.
	// Nothing may be added any more. Returns the number of its blocks; 0: there is no file. Called
	// again it does nothing.
	uint64_t finish();

private:
	class Making;
	bool is_first(uint64_t hash);

	const EarlySpec spec_;
	const std::shared_ptr<Cancellation> cancellation_;
	const std::vector<Compression> compressions_;
	// Writing takes its time, and whoever adds a block waits for the other mutex alone.
	std::mutex keeping_; // of the store's file
	std::optional<BlockStore> store_; // until it is complete
	std::mutex mutex_; // of what follows, but the pool
	std::unordered_set<uint64_t> seen_; // hashes of blocks that were begun
	size_t waiting_ = 0; // blocks that were taken and are not made
	std::condition_variable none_waits_;
	std::unique_ptr<Pool> pool_; // ends before what its tasks use
};

} // namespace native

#endif
