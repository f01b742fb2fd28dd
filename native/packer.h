// Ends of files, and small files, → fragments.
//
// Those that are unchanged since an earlier image are placed without being read: a fragment that holds
// nothing else, and held nothing else then, is found as it was recorded. Of any other they are read when it
// is made. Each way to compress has fragments of its own.
#ifndef NATIVE_PACKER_H
#define NATIVE_PACKER_H

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "block_store.h"
#include "file_record.h"
#include "pipeline.h"
#include "tasks.h"

namespace native
{

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
	std::unordered_multimap<uint64_t, uint32_t> packed_; // hash → whole small file
};

} // namespace native

#endif
