// What the threads of the pipeline do.
#ifndef NATIVE_TASKS_H
#define NATIVE_TASKS_H

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "pool.h"
#include "source.h"

namespace native
{

// A block as it goes into the image.
struct Block {
	std::vector<uint8_t> bytes; // empty for a hole
	uint32_t size_word = 0; // as in Result::block_sizes
	// Of a block that is looked for among those of earlier images (block_store.h).
	uint64_t hash = 0, check = 0;
	uint32_t contents = 0; // bytes; 0 for one that is not
	bool is_kept = false; // it was found, and stays where it is

	// Makes it fit for its place, `start` bytes from the start of the image.
	void settle(Codec codec, uint64_t start);
};

class BlockStore;

// A file that several tasks read: opened by the first of them, checked and closed by the last.
class SharedSource
{
public:
	SharedSource(const FileSpec &spec, uint64_t tasks) : spec_(spec), pending_(tasks)
	{
	}
	const Source &open();
	void finished();

private:
	const FileSpec &spec_;
	std::atomic<uint64_t> pending_;
	std::mutex opening_;
	std::unique_ptr<Source> source_;
};

// A task that makes a block, or finds it in the store, which may be null.
class BlockTask : public Task
{
public:
	explicit BlockTask(const BlockStore *store) : store_(store)
	{
	}
	Block block;

protected:
	void encode(const uint8_t *data, size_t size, Worker &worker);

private:
	const BlockStore *store_;
};

// One whole block of a file.
class FileBlockTask : public BlockTask
{
public:
	FileBlockTask(std::shared_ptr<SharedSource> source, uint64_t offset, uint32_t size,
		      const BlockStore *store)
		: BlockTask(store), source_(std::move(source)), offset_(offset), size_(size)
	{
	}
	void run(Worker &worker) override;

private:
	std::shared_ptr<SharedSource> source_;
	uint64_t offset_;
	uint32_t size_;
};

// A full fragment.
class FragmentTask : public BlockTask
{
public:
	FragmentTask(std::vector<uint8_t> data, const BlockStore *store)
		: BlockTask(store), data_(std::move(data))
	{
	}
	void run(Worker &worker) override;

private:
	std::vector<uint8_t> data_;
};

// Small files, and ends of larger ones, on their way into fragments. Several in one task, because
// for a file of a kilobyte the hand-over would cost as much as the reading.
class ReadTask : public Task
{
public:
	struct Piece {
		uint32_t file; // index in Job::files
		const FileSpec *spec;
		std::shared_ptr<SharedSource> source; // null: this piece is the whole file
		uint64_t offset; // in the file
		uint32_t size;
		uint32_t at = 0; // in `data`
		uint64_t hash = 0; // of a whole file
		bool is_hole = false; // an end that is all zeros
	};

	void add(Piece piece);
	void run(Worker &worker) override;

	std::vector<Piece> pieces;
	std::vector<uint8_t> data;
	uint32_t size = 0; // of all pieces
};

} // namespace native

#endif
