#include "pipeline.h"

#include <algorithm>
#include <deque>
#include <memory>
#include <unordered_map>
#include <utility>

#include "block_store.h"
#include "duplicates.h"
#include "failure.h"
#include "output.h"
#include "packer.h"
#include "pool.h"
#include "recorder.h"
#include "similarity.h"
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
		std::vector<uint32_t> parts; // of a fragment: files
		bool is_fragment = false;
		uint32_t file = 0; // not for fragments
		uint64_t index = 0; // in Result::block_sizes or Result::fragments
	};

	bool window_open() const;
	bool all_issued() const;
	void issue();
	void issue_next_file();
	void issue_block();
	void issue_end();
	void issue_read();
	bool settle();
	void settle_pieces(const ReadTask &task);
	void add_fragment(Packer::Fragment fragment);
	bool write();
	void write_block(const Pending &written, uint64_t start);
	void record(const Pending &written);
	void finish_cache();
	void copy_duplicates();

	const WriteJob &job_;
	Status &status_;
	const std::unique_ptr<BlockStore> store_; // outlives the tasks; may be null
	const std::unique_ptr<Recorder> recorder_; // may be null
	const KnownFiles known_;
	std::vector<bool> was_read_; // by file, of those that are known
	bool has_news_ = false; // for the record
	Pool pool_;
	Output output_;
	Result result_;
	Packer packer_;

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
};

Pipeline::Pipeline(const WriteJob &job, Status &status)
	: job_(job), status_(status),
	  store_(job.store ? std::make_unique<BlockStore>(*job.store) : nullptr),
	  recorder_(job.record ? std::make_unique<Recorder>(job) : nullptr),
	  known_(job.record ? KnownFiles(*job.record, job) : KnownFiles()),
	  was_read_(job.files.size()),
	  pool_(job.threads, job.compressions, job.block_size, status.cancellation),
	  output_(job.fd, job.image_offset + job.data_offset),
	  packer_(job, known_, store_.get(), result_),
	  window_(std::max<uint64_t>(uint64_t(job.threads) * 8 * job.block_size, 4 << 20))
{
	uint64_t blocks = 0;
	result_.files.resize(job.files.size());
	for (size_t i = 0; i < job.files.size(); i++) {
		uint64_t own = job.block_count(job.files[i].size);
		result_.files[i].first_block = blocks;
		result_.files[i].block_count = own;
		// One more, because an end that is all zeros becomes a hole of its own.
		blocks += own > 0 ? own + 1 : 0;
	}
	result_.block_sizes.resize(blocks);
}

Result Pipeline::run()
{
	std::vector<uint32_t> originals = find_duplicates(job_, known_, pool_);
	for (size_t i = 0; i < originals.size(); i++)
		result_.files[i].duplicate_of = originals[i];

	for (;;) {
		status_.cancellation.check();
		issue();
		bool moved = settle();
		bool settled = all_issued() && issued_.empty();
		while (settled && !packer_.is_empty())
			add_fragment(packer_.close_one());
		moved |= write();
		if (settled && pending_.empty())
			break;
		if (!moved) {
			pool_.wait(issued_.empty() ? nullptr : issued_.front().task(),
				   pending_.empty() ? nullptr : pending_.front().task.get());
		}
	}
	output_.flush();
	if (store_)
		finish_cache();
	copy_duplicates();
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
	end_block_ = job_.block_count(spec.size);
	if (end_block_ == 0) {
		issue_end();
		return;
	}
	// Its blocks are settled before its end, so what was read before goes first.
	if (read_)
		issue_read();
	bool reads_end = job_.end_size(spec.size) > 0 && !known_.knows(file);
	uint64_t tasks = end_block_ + reads_end;
	source_ = std::make_shared<SharedSource>(spec, tasks);
}

void Pipeline::issue_block()
{
	uint64_t k = next_block_++;
	uint64_t size = job_.files[block_file_].size;
	const BlockRow *row = known_.knows(block_file_) ? &known_.block(block_file_, k) : nullptr;
	auto task = std::make_shared<FileBlockTask>(
		source_, k * job_.block_size, job_.size_of_block(size, k),
		packer_.making(job_.compression_of(block_file_, k), row));
	issued_.push_back(
		{ task, nullptr, block_file_, result_.files[block_file_].first_block + k });
	in_flight_ += job_.block_size;
	pool_.submit(std::move(task));
	if (next_block_ == end_block_ && job_.end_size(size) > 0)
		issue_end();
}

// The end of a file, or a whole small one: what goes into a fragment.
void Pipeline::issue_end()
{
	const FileSpec &spec = job_.files[block_file_];
	if (!read_)
		read_ = std::make_shared<ReadTask>();
	ReadTask::Piece piece{ block_file_, &spec, source_, end_block_ * job_.block_size,
			       job_.end_size(spec.size) };
	if (known_.knows(block_file_)) {
		const FileRow &row = known_.row(block_file_);
		piece.is_known = true;
		piece.hash = row.end_hash;
		piece.is_hole = (row.state & row_hole_at_end) != 0;
	}
	read_->add(std::move(piece));
	if (read_->pieces.size() == max_pieces || read_->room >= job_.block_size)
		issue_read();
}

void Pipeline::issue_read()
{
	in_flight_ += read_->room;
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
				{ std::move(front.block), {}, false, front.file, front.index });
		} else {
			settle_pieces(*front.read);
			in_flight_ -= front.read->room;
		}
		moved = true;
	}
	return moved;
}

void Pipeline::settle_pieces(const ReadTask &task)
{
	for (const ReadTask::Piece &piece : task.pieces) {
		FileResult &file = result_.files[piece.file];
		if (recorder_)
			recorder_->add_end(piece.file, piece.hash, piece.is_hole);
		if (piece.is_hole) {
			result_.block_sizes[file.first_block + file.block_count++] = 0;
			file.sparse += piece.size;
		} else if (piece.size > 0 && packer_.needs_room(task, piece)) {
			if (!packer_.has_room(piece))
				add_fragment(packer_.close(piece));
			packer_.add(task, piece);
		}
		status_.bytes += piece.size;
		status_.files++;
	}
}

void Pipeline::add_fragment(Packer::Fragment fragment)
{
	uint64_t index = result_.fragments.size();
	result_.fragments.push_back({ 0, 0 });
	if (recorder_)
		recorder_->add_fragment(fragment.files);
	in_flight_ += job_.block_size;
	pending_.push_back({ fragment.task, std::move(fragment.files), true, 0, index });
	pool_.submit(std::move(fragment.task), true);
}

bool Pipeline::write()
{
	bool moved = false;
	for (; !pending_.empty() && pool_.done(*pending_.front().task); pending_.pop_front()) {
		const Pending &front = pending_.front();
		Block &block = front.task->block;
		uint64_t start = output_.position() - job_.image_offset;
		if (store_)
			record(front);
		block.settle(job_.compressions.front().codec, start);
		if (front.is_fragment)
			result_.fragments[front.index] = { start, block.size_word };
		else
			write_block(front, start);
		output_.append(block.bytes.data(), block.bytes.size());
		result_.blocks += !block.bytes.empty();
		in_flight_ -= job_.block_size;
		moved = true;
	}
	return moved;
}

void Pipeline::write_block(const Pending &written, uint64_t start)
{
	FileResult &file = result_.files[written.file];
	uint64_t whole = job_.files[written.file].size, k = written.index - file.first_block;
	uint32_t size = job_.size_of_block(whole, k), word = written.task->block.size_word;
	if (k == 0)
		file.start = start;
	if (word == 0)
		file.sparse += size;
	result_.block_sizes[written.index] = word;
	status_.bytes += size;
	status_.files += k + 1 == job_.block_count(whole) && job_.end_size(whole) == 0;
}

// Before the block is made fit for its place.
void Pipeline::record(const Pending &written)
{
	Block &block = written.task->block;
	bool is_kept = store_->keep(block);
	has_news_ = has_news_ || written.task->is_news(is_kept);
	if (written.task->was_read) {
		for (uint32_t file : written.parts)
			was_read_[file] = true;
		was_read_[written.file] = was_read_[written.file] || !written.is_fragment;
	}
	if (!recorder_)
		return;
	if (written.is_fragment)
		recorder_->complete_fragment(written.index, block, is_kept);
	else
		recorder_->add_block(written.file,
				     written.index - result_.files[written.file].first_block, block,
				     is_kept);
}

void Pipeline::finish_cache()
{
	result_.kept_blocks = store_->finish();
	result_.used_files = store_->used();
	if (!recorder_)
		return;
	for (uint32_t i = 0; i < job_.files.size(); i++)
		result_.unread += known_.knows(i) && !was_read_[i];
	result_.used_record = known_.used();
	// One that says the same already is left as it is.
	bool is_same = known_.covers(job_.files.size()) && !has_news_;
	result_.is_recorded = !is_same && recorder_->write(*job_.record, result_);
	result_.is_replaced = result_.is_recorded && known_.replaces();
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

Result run_pipeline(WriteJob &job, Status &status)
{
	if (!job.by_similarity)
		return Pipeline(job, status).run();
	std::vector<uint32_t> order = similar_order(job, status.cancellation);
	std::vector<FileSpec> arranged;
	for (uint32_t file : order)
		arranged.push_back(std::move(job.files[file]));
	job.files = std::move(arranged);
	Result result = Pipeline(job, status).run();
	std::vector<FileResult> given(order.size());
	for (size_t i = 0; i < order.size(); i++) {
		FileResult &file = given[order[i]];
		file = result.files[i];
		if (file.duplicate_of != no_duplicate)
			file.duplicate_of = order[file.duplicate_of];
	}
	result.files = std::move(given);
	return result;
}

} // namespace native
