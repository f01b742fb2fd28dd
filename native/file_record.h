// What an image had of its files, so that the next one need not read those that are unchanged.
//
// A record is written once, by one image, and then only read. Little-endian, each part a multiple of 8 bytes:
//
//   header
//   a FileRow for each file, in the order in which their contents are laid out
//   u32 for each file: the rows in the order of their device and inode; padded
//   a BlockRow for each block of the files, a FragmentRow for each fragment
//   u32 for each part of a fragment: the row of the file whose end it is; padded
//
// A file is believed to be unchanged by what the kernel says of it: path, device, inode, size, time of last
// change of its contents and of itself. That time is set by the kernel alone, so whatever changes shows in
// it, unless it changes again within one tick of the clock. So nothing is believed of a file that had changed
// in the last two seconds when the image began to read, of times in whole seconds (the file system may keep
// none of its own), of file systems whose clock may be another machine's, and of a record that is newer than
// now: somebody has set the clock back.
//
// Nothing here says what a file holds. It says which of the kept blocks (block_store.h) are its own, and
// which of the files of that image, all of them compared then, hold the same.
#ifndef NATIVE_FILE_RECORD_H
#define NATIVE_FILE_RECORD_H

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "generated/addon.h"
#include "source.h"

namespace native
{

struct WriteJob;

struct RecordSpec {
	std::string key; // names how blocks are compressed, and which ends become fragments
	std::vector<std::string> kept; // to be read, the likeliest first
	std::string make; // to be written, must not exist
};

// Which block of the store it is.
struct BlockRow {
	uint64_t hash, check;
	uint32_t size_word; // 0: a hole
	uint32_t contents; // as in the store; 0: it was not kept, so the file has to be read
};

struct FileRow {
	uint64_t dev, ino, size;
	int64_t mtime_ns, ctime_ns;
	uint64_t path; // hash
	uint64_t hash; // of the contents
	uint64_t end_hash; // of what goes into a fragment; of a small file both are the same
	uint64_t first_block; // its rows of blocks, one for each of its own
	uint32_t same_as; // row of the first file that holds the same; may be its own
	uint32_t fragment; // where its end is, or none
	uint32_t state; // bits, below
	uint32_t tag; // how it is compressed, as in Compression
};

struct FragmentRow {
	BlockRow block;
	uint64_t first_part, parts;
};
static_assert(sizeof(BlockRow) == 24 && sizeof(FileRow) == 88 && sizeof(FragmentRow) == 40);

constexpr uint32_t row_settled = 1; // it may be believed
constexpr uint32_t row_hole_at_end = 2; // its end is all zeros

struct RecordHeader {
	uint64_t magic, check; // of all that follows, for the key
	int64_t began; // when the image began to read, ns since 1970
	uint64_t files, blocks, fragments, parts;
};
static_assert(sizeof(RecordHeader) == 56);

constexpr uint64_t record_magic = 0x3144'5243'454c'4946; // "FILECRD1"

struct FreeWords {
	void operator()(uint64_t *words) const
	{
		free(words);
	}
};

// From malloc, which says that there is no memory where `new` would end the process.
using Words = std::unique_ptr<uint64_t[], FreeWords>;

// The check of a record, of what follows its header piece by piece.
class RecordCheck
{
public:
	RecordCheck();
	~RecordCheck();
	RecordCheck(const RecordCheck &) = delete;
	RecordCheck &operator=(const RecordCheck &) = delete;
	void add(const void *data, size_t size);
	// The header's own check does not count.
	uint64_t of(const RecordHeader &header, const std::string &key) const;

private:
	struct State;
	const std::unique_ptr<State> state_;
};

uint64_t record_path(const FileSpec &file);
// ns since 1970
int64_t record_clock();

// The files of a job that are as they were when an earlier image was written.
class KnownFiles
{
public:
	KnownFiles() = default;
	// Takes the first record that knows nearly all, or else the one that knows most. Those that
	// are damaged are removed.
	KnownFiles(const RecordSpec &spec, const WriteJob &job);

	bool knows(uint32_t file) const
	{
		return !rows_.empty() && rows_[file] != none;
	}
	// Of a file that it knows.
	const FileRow &row(uint32_t file) const
	{
		return record_->files[rows_[file]];
	}
	const BlockRow &block(uint32_t file, uint64_t index) const
	{
		return record_->blocks[row(file).first_block + index];
	}
	// Whether both are known to hold the same. If not they may all the same.
	bool same(uint32_t a, uint32_t b) const
	{
		return knows(a) && knows(b) && row(a).same_as == row(b).same_as;
	}
	// The fragment of these files' ends and of nothing else, in this order; null: there was none.
	const BlockRow *fragment(const std::vector<uint32_t> &files) const;

	uint32_t count() const
	{
		return count_;
	}
	// By index in RecordSpec::kept, or none.
	uint32_t used() const
	{
		return used_;
	}
	// Whether the record that was used says all there is to say of the files.
	bool covers(size_t files) const
	{
		return record_ && count_ == files && record_->files.size() == files;
	}
	// Whether hardly a file of the record is unknown to this image.
	bool replaces() const
	{
		return record_ && count_ >= record_->files.size() / 10 * 9;
	}

private:
	template <class Row> struct Rows {
		const Row *first = nullptr;
		size_t count = 0;
		size_t size() const
		{
			return count;
		}
		const Row &operator[](size_t index) const
		{
			return first[index];
		}
		const Row *begin() const
		{
			return first;
		}
		const Row *end() const
		{
			return first + count;
		}
	};
	// The file as it was read, and its parts.
	struct Record {
		Words bytes;
		Rows<FileRow> files;
		Rows<uint32_t> by_inode;
		Rows<BlockRow> blocks;
		Rows<FragmentRow> fragments;
		Rows<uint32_t> parts;
	};

	// `from`: where the next part begins, in words.
	template <class Row>
	static void take(const uint64_t *&from, Rows<Row> &rows, uint64_t count)
	{
		rows = { reinterpret_cast<const Row *>(from), count };
		from += (count * sizeof(Row) + 7) / 8;
	}
	static std::optional<Record> read(const std::string &path, const std::string &key,
					  const WriteJob &job);
	static bool is_sound(const Record &record, const WriteJob &job);
	static uint32_t find(const Record &record, const FileSpec &file, const WriteJob &job);

	std::optional<Record> record_;
	std::vector<uint32_t> rows_; // by file, or none
	uint32_t count_ = 0;
	uint32_t used_ = none;
};

} // namespace native

#endif
