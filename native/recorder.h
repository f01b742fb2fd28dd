// Writes down what an image has of its files, for the next one (file_record.h).
#ifndef NATIVE_RECORDER_H
#define NATIVE_RECORDER_H

#include <cstdint>
#include <vector>

#include "file_record.h"
#include "pipeline.h"
#include "tasks.h"

namespace native
{

class Recorder
{
public:
	// To be made before anything is read.
	explicit Recorder(const WriteJob &job);

	// A whole block of a file. `is_kept`: it can be taken from the store.
	void add_block(uint32_t file, uint64_t index, const Block &block, bool is_kept);
	// The end of a file, or a whole small one.
	void add_end(uint32_t file, uint64_t hash, bool is_hole);
	void add_fragment(const std::vector<uint32_t> &files);
	// Fragments are added when they are closed and made later, in the same order.
	void complete_fragment(uint64_t index, const Block &block, bool is_kept);

	// To be called at the end. Returns whether there is a record now; where it cannot be written
	// there is none.
	bool write(const RecordSpec &spec, const Result &result);

private:
	FileRow row_of(uint32_t file, const Result &result) const;
	void identify(FileRow &row, const FileSpec &file) const;
	uint64_t hash_of(uint32_t file) const;
	std::vector<uint32_t> by_inode() const;

	const WriteJob &job_;
	const int64_t began_; // ns since 1970
	const std::vector<uint8_t> zeros_; // a block of them
	const uint64_t hash_of_hole_; // of a whole block
	// A row of a file is made when it is written: there may be millions.
	std::vector<uint64_t> first_blocks_, end_hashes_;
	std::vector<bool> holes_; // whether the end is all zeros
	std::vector<BlockRow> blocks_;
	std::vector<FragmentRow> fragments_;
	std::vector<uint32_t> parts_;
};

} // namespace native

#endif
