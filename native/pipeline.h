// Contents of files → data blocks and fragments of an image.
//
//   issue    in the order of the files, as far ahead as the window allows: tasks that read
//   settle   in the same order: blocks go to the output queue; tails and small files are compared
//            with what is there already and packed into the open fragment
//   write    in the order of settling: one thread appends to the file
//
// Decisions are made in `settle` and `write` alone, on the coordinator's thread and in order, so
// the bytes of an image depend neither on the number of threads nor on which of them was quick.
#ifndef NATIVE_PIPELINE_H
#define NATIVE_PIPELINE_H

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "block_store.h"
#include "cancellation.h"
#include "codec.h"
#include "file_record.h"
#include "generated/addon.h"
#include "source.h"

namespace native
{

constexpr uint32_t no_fragment = none;

// What goes into fragments; other ends of files are blocks of their own.
enum class Ends {
	all,
	of_small_files,
	none
};

struct WriteJob {
	std::vector<FileSpec>
		files; // in the order in which they are laid out, or before they are arranged
	bool by_similarity = false; // otherwise they are in order
	uint32_t ahead = 0; // of the files: the first ones, which are in order in any case
	std::vector<std::string> folders; // of the files
	std::vector<char> names; // of the files, each with its NUL
	// The first is that of the image; all have its codec, or none.
	std::vector<Compression> compressions;
	// Blocks that are stored as they are, whatever their files say: pairs of an index in `files`, of which
	// it is one of the first `ahead`, and the number of the block, in ascending order.
	std::vector<std::pair<uint32_t, uint32_t>> stored;
	uint8_t stored_compression = 0; // theirs
	Ends ends = Ends::all;
	uint32_t block_size = 0; // bytes
	unsigned threads = 1;
	int fd = -1;
	uint64_t image_offset = 0; // of the superblock, in the file
	uint64_t data_offset = 0; // of the first data block, from image_offset
	std::optional<StoreSpec> store; // of compressed blocks of earlier images
	std::optional<RecordSpec> record; // of files of earlier images; with a store alone

	// Of a file of `size` bytes: how many go into a fragment, and how many blocks the others are.
	uint32_t end_size(uint64_t size) const
	{
		bool is_block = ends == Ends::none ||
				(ends == Ends::of_small_files && size > block_size);
		return is_block ? 0 : static_cast<uint32_t>(size % block_size);
	}
	// How a block of a file is compressed.
	uint8_t compression_of(uint32_t file, uint64_t block) const
	{
		bool is_stored =
			std::binary_search(stored.begin(), stored.end(),
					   std::make_pair(file, static_cast<uint32_t>(block)));
		return is_stored ? stored_compression : files[file].compression;
	}
	uint64_t block_count(uint64_t size) const
	{
		return (size - end_size(size) + block_size - 1) / block_size;
	}
	uint32_t size_of_block(uint64_t size, uint64_t index) const
	{
		return static_cast<uint32_t>(
			std::min<uint64_t>(block_size, size - index * block_size));
	}
};

// Read by other threads while the job runs.
struct Status {
	std::atomic<uint64_t> bytes{ 0 };
	std::atomic<uint64_t> files{ 0 };
	Cancellation cancellation;
};

struct FileResult {
	uint64_t start = 0; // of the first block, from image_offset
	uint64_t first_block = 0; // index in Result::block_sizes
	uint64_t block_count = 0;
	uint64_t sparse = 0; // bytes that are in no block because they are zero
	uint32_t fragment = no_fragment;
	uint32_t fragment_offset = 0;
	uint32_t duplicate_of = none; // an earlier file, or no_duplicate
};

struct FragmentResult {
	uint64_t start; // from image_offset
	uint32_t size; // as in block_sizes
};

struct Result {
	std::vector<FileResult> files;
	// As the format has them: bytes on disk, bit 24 when stored uncompressed, 0 for a hole.
	std::vector<uint32_t> block_sizes;
	std::vector<FragmentResult> fragments;
	uint64_t blocks = 0; // that were written, fragments included
	uint64_t end = 0; // from image_offset
	uint64_t kept_blocks = 0; // in StoreSpec::make
	std::vector<bool> used_files; // by index in StoreSpec::kept
	uint64_t unread = 0; // files that are unchanged since an earlier image and were not read
	bool is_recorded = false; // in RecordSpec::make
	uint32_t used_record = none; // index in RecordSpec::kept
	bool is_replaced = false; // what was used is of no more use beside the new one
};

// Arranges the files as the job says. The result has them in the order in which they were given. Throws
// Failure.
Result run_pipeline(WriteJob &job, Status &status);

} // namespace native

#endif
