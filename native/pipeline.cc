#include "pipeline.h"

#include <algorithm>
#include <cstring>
#include <deque>
#include <memory>
#include <unordered_map>
#include <utility>

#include "block_store.h"
#include "duplicates.h"
#include "failure.h"
#include "output.h"
#include "pool.h"
#include "tasks.h"

namespace native
{
namespace
{

constexpr size_t max_pieces = 64; // of one ReadTask

class Pipeline
{
public:
	Pipeline(const WriteJob &job, Status &status);
	Result run();

private:
	struct Issued {
		std::shared_ptr<FileBlockTask> block; // or
		std::shared_ptr<ReadTask> read;
		uint32_t file = 0;
		uint64_t index = 0; // in Result::block_sizes
		const Task *task() const
		{
			return block ? static_cast<const Task *>(block.get()) : read.get();
		}
	};
	struct Pending {
		std::shared_ptr<BlockTask> task;
		bool is_fragment = false;
		uint32_t file = 0; // not for fragments
		uint64_t index = 0; // in Result::block_sizes or Result::fragments
	};

	uint64_t full_blocks(uint64_t size) const
	{
		return size / job_.block_size;
	}
	bool window_open() const;
	bool all_issued() const;
	void issue();
	void issue_next_file();
	void issue_block();
	void issue_end();
	void issue_read();
	bool settle();
	void settle_pieces(const ReadTask &task);
	void pack(const ReadTask &task, const ReadTask::Piece &piece);
	bool find_packed(const ReadTask &task, const ReadTask::Piece &piece);
	void close_fragment();
	bool write();
	void copy_duplicates();

	const WriteJob &job_;
	Status &status_;
	const std::unique_ptr<BlockStore> store_; // outlives the tasks; may be null
	Pool pool_;
	Output output_;
	Result result_;

	// Issuing.
	uint32_t next_file_ = 0;
	std::shared_ptr<SharedSource> source_; // of the file whose blocks are being issued
	uint32_t block_file_ = 0;
	uint64_t next_block_ = 0, end_block_ = 0;
	std::shared_ptr<ReadTask> read_; // open for more pieces

	uint64_t in_flight_ = 0; // bytes of input that are not written yet
	uint64_t window_;
	std::deque<Issued> issued_;
	std::deque<Pending> pending_;

	std::vector<uint8_t> fragment_; // the open one
	std::unordered_multimap<uint64_t, uint32_t> packed_; // hash → whole small file
};

Pipeline::Pipeline(const WriteJob &job, Status &status)
	: job_(job), status_(status),
	  store_(job.store ? std::make_unique<BlockStore>(*job.store) : nullptr),
	  pool_(job.threads, job.compression, job.block_size, status.cancellation),
	  output_(job.fd, job.image_offset + job.data_offset),
	  window_(std::max<uint64_t>(uint64_t(job.threads) * 8 * job.block_size, 4 << 20))
{
	uint64_t blocks = 0;
	result_.files.resize(job.files.size());
	for (size_t i = 0; i < job.files.size(); i++) {
		uint64_t full = full_blocks(job.files[i].size);
		result_.files[i].first_block = blocks;
		result_.files[i].block_count = full;
		// One more, because an end that is all zeros becomes a hole of its own.
		blocks += full > 0 ? full + 1 : 0;
	}
	result_.block_sizes.resize(blocks);
	fragment_.reserve(job.block_size);
}

Result Pipeline::run()
{
	std::vector<uint32_t> originals = find_duplicates(job_.files, job_.block_size, pool_);
	for (size_t i = 0; i < originals.size(); i++)
		result_.files[i].duplicate_of = originals[i];

	for (;;) {
		status_.cancellation.check();
		issue();
		bool moved = settle();
		bool settled = all_issued() && issued_.empty();
		if (settled && !fragment_.empty())
			close_fragment();
		moved |= write();
		if (settled && pending_.empty())
			break;
		if (!moved) {
			pool_.wait(issued_.empty() ? nullptr : issued_.front().task(),
				   pending_.empty() ? nullptr : pending_.front().task.get());
		}
	}
	output_.flush();
	copy_duplicates();
	if (store_) {
		result_.kept_blocks = store_->finish();
		result_.used_files = store_->used();
	}
	result_.end = output_.position() - job_.image_offset;
	return std::move(result_);
}

bool Pipeline::window_open() const
{
	return in_flight_ < window_ && issued_.size() < 4096;
}

bool Pipeline::all_issued() const
{
	return next_file_ == job_.files.size() && next_block_ == end_block_;
}

void Pipeline::issue()
{
	while (window_open()) {
		if (next_block_ < end_block_)
			issue_block();
		else if (next_file_ < job_.files.size())
			issue_next_file();
		else
			break;
	}
	// Nothing more will join it now, and its pieces may be what everyone waits for.
	if (read_)
		issue_read();
}

void Pipeline::issue_next_file()
{
	uint32_t file = next_file_++;
	const FileSpec &spec = job_.files[file];
	if (result_.files[file].duplicate_of != no_duplicate) {
		status_.bytes += spec.size;
		status_.files++;
		return;
	}
	source_ = nullptr;
	block_file_ = file;
	next_block_ = 0;
	end_block_ = full_blocks(spec.size);
	if (end_block_ == 0) {
		issue_end();
		return;
	}
	// Its blocks are settled before its end, so what was read before goes first.
	if (read_)
		issue_read();
	uint64_t tasks = end_block_ + (spec.size % job_.block_size > 0);
	source_ = std::make_shared<SharedSource>(spec, tasks);
}

void Pipeline::issue_block()
{
	uint64_t k = next_block_++;
	auto task = std::make_shared<FileBlockTask>(source_, k * job_.block_size, job_.block_size,
						    store_.get());
	issued_.push_back(
		{ task, nullptr, block_file_, result_.files[block_file_].first_block + k });
	in_flight_ += job_.block_size;
	pool_.submit(std::move(task));
	if (next_block_ == end_block_ && job_.files[block_file_].size % job_.block_size > 0)
		issue_end();
}

// The end of a file, or a whole small one: what goes into a fragment.
void Pipeline::issue_end()
{
	const FileSpec &spec = job_.files[block_file_];
	if (!read_)
		read_ = std::make_shared<ReadTask>();
	read_->add({ block_file_, &spec, source_, end_block_ * job_.block_size,
		     static_cast<uint32_t>(spec.size % job_.block_size) });
	if (read_->pieces.size() == max_pieces || read_->size >= job_.block_size)
		issue_read();
}

void Pipeline::issue_read()
{
	in_flight_ += read_->size;
	issued_.push_back({ nullptr, read_ });
	pool_.submit(std::move(read_));
	read_ = nullptr;
}

bool Pipeline::settle()
{
	bool moved = false;
	for (; !issued_.empty() && pool_.done(*issued_.front().task()); issued_.pop_front()) {
		Issued &front = issued_.front();
		if (front.block) {
			pending_.push_back(
				{ std::move(front.block), false, front.file, front.index });
		} else {
			settle_pieces(*front.read);
			in_flight_ -= front.read->size;
		}
		moved = true;
	}
	return moved;
}

void Pipeline::settle_pieces(const ReadTask &task)
{
	for (const ReadTask::Piece &piece : task.pieces) {
		FileResult &file = result_.files[piece.file];
		if (piece.is_hole) {
			result_.block_sizes[file.first_block + file.block_count++] = 0;
			file.sparse += piece.size;
		} else if (piece.size > 0 && !find_packed(task, piece)) {
			pack(task, piece);
		}
		status_.bytes += piece.size;
		status_.files++;
	}
}

void Pipeline::pack(const ReadTask &task, const ReadTask::Piece &piece)
{
	if (fragment_.size() + piece.size > job_.block_size)
		close_fragment();
	FileResult &file = result_.files[piece.file];
	file.fragment = static_cast<uint32_t>(result_.fragments.size());
	file.fragment_offset = static_cast<uint32_t>(fragment_.size());
	const uint8_t *bytes = task.data.data() + piece.at;
	fragment_.insert(fragment_.end(), bytes, bytes + piece.size);
	if (!piece.source)
		packed_.emplace(piece.hash, piece.file);
}

// Shares the place of an earlier small file with the same bytes. They are compared with the open
// fragment, or else with the earlier file itself: closed fragments are not kept in memory.
bool Pipeline::find_packed(const ReadTask &task, const ReadTask::Piece &piece)
{
	if (piece.source)
		return false;
	const uint8_t *bytes = task.data.data() + piece.at;
	auto [begin, end] = packed_.equal_range(piece.hash);
	for (auto candidate = begin; candidate != end; ++candidate) {
		const FileSpec &spec = job_.files[candidate->second];
		const FileResult &original = result_.files[candidate->second];
		bool same = false;
		if (spec.size != piece.size)
			continue;
		if (original.fragment == result_.fragments.size())
			same = memcmp(fragment_.data() + original.fragment_offset, bytes,
				      piece.size) == 0;
		else
			same = has_contents(spec, bytes, piece.size);
		if (same) {
			result_.files[piece.file].duplicate_of = candidate->second;
			return true;
		}
	}
	return false;
}

void Pipeline::close_fragment()
{
	uint64_t index = result_.fragments.size();
	result_.fragments.push_back({ 0, 0 });
	auto task = std::make_shared<FragmentTask>(std::exchange(fragment_, {}), store_.get());
	fragment_.reserve(job_.block_size);
	in_flight_ += job_.block_size;
	pending_.push_back({ task, true, 0, index });
	pool_.submit(std::move(task), true);
}

bool Pipeline::write()
{
	bool moved = false;
	for (; !pending_.empty() && pool_.done(*pending_.front().task); pending_.pop_front()) {
		const Pending &front = pending_.front();
		Block &block = front.task->block;
		uint64_t start = output_.position() - job_.image_offset;
		if (store_)
			store_->keep(block);
		block.settle(job_.compression.codec, start);
		if (front.is_fragment) {
			result_.fragments[front.index] = { start, block.size_word };
		} else {
			FileResult &file = result_.files[front.file];
			if (front.index == file.first_block)
				file.start = start;
			if (block.size_word == 0)
				file.sparse += job_.block_size;
			result_.block_sizes[front.index] = block.size_word;
			status_.bytes += job_.block_size;
			uint64_t size = job_.files[front.file].size;
			bool is_last = front.index + 1 == file.first_block + full_blocks(size);
			status_.files += is_last && size % job_.block_size == 0;
		}
		output_.append(block.bytes.data(), block.bytes.size());
		result_.blocks += !block.bytes.empty();
		in_flight_ -= job_.block_size;
		moved = true;
	}
	return moved;
}

void Pipeline::copy_duplicates()
{
	for (FileResult &file : result_.files) {
		if (file.duplicate_of == no_duplicate)
			continue;
		uint32_t original = file.duplicate_of;
		file = result_.files[original];
		file.duplicate_of = original;
	}
}

} // namespace

Result run_pipeline(const WriteJob &job, Status &status)
{
	return Pipeline(job, status).run();
}

} // namespace native
