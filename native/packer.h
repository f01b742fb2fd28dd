// Ends of files, and small files, → fragments.
//
// Those that are unchanged since an earlier image are placed without being read: a fragment that holds
// nothing else, and held nothing else then, is found as it was recorded. Of any other they are read when it
// is made. Each way to compress has fragments of its own.
#ifndef NATIVE_PACKER_H
#define NATIVE_PACKER_H

#include <cstdint>
#include <memory>
#include <vector>

#include "block_store.h"
#include "file_record.h"
#include "pipeline.h"
#include "tasks.h"

namespace native
{

// Whole small files by hashes of their contents: a table of fixed size, since a node of its own for each would
// take six times as much.
class SmallFiles
{
public:
	explicit SmallFiles(const WriteJob &job);
	void add(uint64_t hash, uint32_t file);
	// The first added file of this hash, or of another one by chance, for which `holds` is true; or none.
	template <class Holds> uint32_t find(uint64_t hash, Holds holds) const
	{
		for (size_t at = hash & mask_; slots_[at].file != none; at = (at + 1) & mask_) {
			if (slots_[at].upper == hash >> 32 && holds(slots_[at].file))
				return slots_[at].file;
		}
		return none;
	}

private:
	struct Slot {
		uint32_t upper; // half of the hash
		uint32_t file = none;
	};
	std::vector<Slot> slots_; // a power of two, and never full
	size_t mask_;
};

class Packer
{
public:
	struct Fragment {
		std::shared_ptr<FragmentTask> task;
		std::vector<uint32_t> files; // in the order of their parts
	};

	Packer(const WriteJob &job, const KnownFiles &known, const BlockStore *store,
	       Result &result);

	// Whether the piece goes into a fragment: false where an earlier file has its contents, which
	// its result says now.
	bool needs_room(const ReadTask &task, const ReadTask::Piece &piece);
	// Whether it fits into the one that is open for it.
	bool has_room(const ReadTask::Piece &piece) const;
	void add(const ReadTask &task, const ReadTask::Piece &piece);
	bool is_empty() const;

	// Closes the fragment that is open for the piece, or any one that is open. They get their
	// numbers in the order in which they are closed.
	Fragment close(const ReadTask::Piece &piece);
	Fragment close_one();

	Making making(uint8_t compression, const BlockRow *row) const;

private:
	struct Open {
		std::vector<uint8_t> bytes; // what was not read is zero
		std::vector<uint32_t> files;
		std::vector<UnreadPart> unread;
	};
	bool same(const ReadTask &task, const ReadTask::Piece &piece, uint32_t earlier) const;
	Fragment close(uint8_t compression);

	const WriteJob &job_;
	const KnownFiles &known_;
	const BlockStore *const store_;
	Result &result_;
	uint32_t closed_ = 0;
	std::vector<Open> open_; // by index in WriteJob::compressions
	SmallFiles packed_;
};

} // namespace native

#endif
