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

// Whether it is a hole; of one byte at least.
bool all_zero(const uint8_t *data, size_t size);

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
struct BlockRow;

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

// How a block is made or found.
struct Making {
	uint8_t compression; // index in WriteJob::compressions
	const BlockStore *store; // null: it is not looked for
	const BlockRow *row; // as it was recorded, of files that are unchanged; null: it was not
};

// A task that makes a block, or finds it.
class BlockTask : public Task
{
public:
	explicit BlockTask(const Making &making) : making_(making)
	{
	}
	Block block;
	bool was_read = true; // the contents, and not a recorded block alone
	// Whether the record that is used could say more of it, where `is_kept`, that the store has it.
	bool is_news(bool is_kept) const;

protected:
	bool take_recorded();
	void encode(const uint8_t *data, size_t size, Worker &worker);

private:
	const Making making_;
};

// One block of a file.
class FileBlockTask : public BlockTask
{
public:
	FileBlockTask(std::shared_ptr<SharedSource> source, uint64_t offset, uint32_t size,
		      const Making &making)
		: BlockTask(making), source_(std::move(source)), offset_(offset), size_(size)
	{
	}
	void run(Worker &worker) override;

private:
	std::shared_ptr<SharedSource> source_;
	uint64_t offset_;
	uint32_t size_;
};

// A part of a fragment that was not read yet, because the file is unchanged.
struct UnreadPart {
	const FileSpec *spec;
	uint64_t offset; // in the file
	uint32_t size;
	uint32_t at; // in the fragment
};

// A full fragment.
class FragmentTask : public BlockTask
{
public:
	FragmentTask(std::vector<uint8_t> data, std::vector<UnreadPart> unread,
		     const Making &making)
		: BlockTask(making), data_(std::move(data)), unread_(std::move(unread))
	{
	}
	void run(Worker &worker) override;

private:
	std::vector<uint8_t> data_;
	std::vector<UnreadPart> unread_;
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
		bool is_known = false; // the file is unchanged: it is not read here
		uint32_t at = 0; // in `data`
		uint64_t hash = 0; // set here unless known, as is
		bool is_hole = false; // an end that is all zeros
	};

	void add(Piece piece);
	void run(Worker &worker) override;

	std::vector<Piece> pieces;
	std::vector<uint8_t> data;
	uint32_t size = 0; // of all pieces that are read
	uint64_t room = 0; // of all pieces: what fragments will take for them
};

} // namespace native

#endif
