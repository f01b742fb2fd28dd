// Compressed blocks of earlier images, found by what they hold, so that a build compresses what is new.
//
// A file of blocks is written once, by one image, and then only read:
//
//   the blocks, one behind the other
//   a row for each: u64 hash of its contents, u64 check, u64 offset, u32 size word, u32 bytes of its contents,
//   of which the highest 8 bits say how it is compressed where that is not as the key says
//   u64 number of rows, u64 check of the rows, u64 magic; little-endian
//
// Blocks are kept as the compressor made them, before they are made fit for a place in an image, and one
// that is stored as it is has a row alone: an image gets the same bytes whether its blocks were kept or made.
// For that the check is of the compressed bytes, and what they hold is compared with the contents besides.
#ifndef NATIVE_BLOCK_STORE_H
#define NATIVE_BLOCK_STORE_H

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "pool.h"

namespace native
{

struct Block;
struct BlockRow;

struct StoreSpec {
	// Names how blocks are compressed: files of another key are not believed.
	std::string key;
	struct Kept {
		std::string path;
		bool folded = false; // what is taken goes into the new file, too
	};
	std::vector<Kept> kept; // to be read
	std::string make; // to be written, must not exist; empty for none
	uint64_t limit = 0; // of the file that is made, bytes
};

class KeptFile;

class BlockStore
{
public:
	// Files that are missing are passed over, and damaged ones removed.
	explicit BlockStore(const StoreSpec &spec);
	~BlockStore();
	BlockStore(const BlockStore &) = delete;
	BlockStore &operator=(const BlockStore &) = delete;

	// Takes the block of these contents where there is one, and names it in any case. `compression`:
	// index in WriteJob::compressions. Safe from several threads.
	bool take(const uint8_t *data, size_t size, uint8_t compression, Worker &worker,
		  Block &block) const;
	// Takes the block that an earlier image has recorded (file_record.h): one that was compressed,
	// and that no other can be mistaken for. Safe from several threads.
	bool take_recorded(const BlockRow &row, Block &block) const;

	// Writes a block that `take` has named. Where that fails nothing more is written, and the
	// file is removed: an image needs none. Returns whether it may be recorded: that there is
	// a row of this block, and not only one of the same hash.
	bool keep(Block &block);
	// Completes the file. Returns the number of its blocks; 0: there is none.
	uint64_t finish();

	// By index in StoreSpec::kept: whether a block was taken from it.
	std::vector<bool> used() const;

private:
	struct Row {
		uint64_t hash, check, offset;
		uint32_t size_word, contents;
	};
	static_assert(sizeof(Row) == 32);
	struct Place {
		uint32_t file, row;
	};
	friend class KeptFile;

	bool has_written(const Block &block, uint32_t row) const;
	void write_all(const void *data, size_t size);
	void abandon();

	const StoreSpec &spec_;
	std::vector<std::unique_ptr<KeptFile>> files_; // null: not to be read
	std::unordered_multimap<uint64_t, Place> places_; // by hash
	int fd_ = -1;
	uint64_t end_ = 0;
	std::vector<Row> rows_;
	std::unordered_map<uint64_t, uint32_t> written_; // index in rows_, by hash
};

} // namespace native

#endif
