#include "tasks.h"

#include <cstring>
#include <utility>

#include "block_store.h"
#include "duplicates.h"
#include "file_record.h"

namespace native
{
namespace
{

constexpr uint32_t stored = 1u << 24;

} // namespace

bool all_zero(const uint8_t *data, size_t size)
{
	return data[0] == 0 && memcmp(data, data + 1, size - 1) == 0;
}

void Block::settle(Codec codec, uint64_t start)
{
	if (codec != Codec::zstd || bytes.empty() || (size_word & stored))
		return;
	fit_to_kernel(bytes, start + bytes.size());
	size_word = static_cast<uint32_t>(bytes.size());
}

const Source &SharedSource::open()
{
	std::lock_guard lock(opening_);
	if (!source_)
		source_ = std::make_unique<Source>(spec_);
	return *source_;
}

void SharedSource::finished()
{
	if (pending_.fetch_sub(1) != 1 || !source_)
		return;
	source_->check_unchanged();
	source_.reset();
}

bool BlockTask::take_recorded()
{
	const BlockRow *row = making_.row;
	if (!row || row->contents == 0)
		return false;
	bool is_hole = row->size_word == 0;
	was_read = !is_hole && !(making_.store && making_.store->take_recorded(*row, block));
	return !was_read;
}

bool BlockTask::is_news(bool is_kept) const
{
	// One that is stored is read each time: what the record has of it is for other images.
	return was_read && making_.store && (is_kept || !making_.row || making_.row->contents > 0);
}

void BlockTask::encode(const uint8_t *data, size_t size, Worker &worker)
{
	block = {};
	auto [compression, store, row] = making_;
	if (!store)
		block.hash = content_hash(data, size); // a record tells files apart by it
	else if (store->take(data, size, compression, worker, block))
		return;
	Compressor &compressor = worker.compressor(compression);
	bool is_hopeless = worker.compressions[compression].probes && is_incompressible(data, size);
	size_t compressed = is_hopeless ? 0 : compressor.compress(data, size, worker.output.data());
	if (compressed > 0) {
		block.bytes.assign(worker.output.data(), worker.output.data() + compressed);
		block.size_word = static_cast<uint32_t>(compressed);
	} else {
		block.bytes.assign(data, data + size);
		block.size_word = static_cast<uint32_t>(size) | stored;
	}
}

void FileBlockTask::run(Worker &worker)
{
	if (!take_recorded()) {
		const Source &source = source_->open();
		uint8_t *data = worker.input.data();
		if (!source.is_hole(offset_, size_)) {
			source.read(offset_, data, size_);
			if (!all_zero(data, size_))
				encode(data, size_, worker);
		}
	}
	source_->finished();
}

void FragmentTask::run(Worker &worker)
{
	if (!take_recorded()) {
		for (const UnreadPart &part : unread_) {
			worker.cancellation.check();
			Source source(*part.spec);
			source.read(part.offset, data_.data() + part.at, part.size);
			source.check_unchanged();
		}
		encode(data_.data(), data_.size(), worker);
	}
	data_ = {};
}

void ReadTask::add(Piece piece)
{
	piece.at = size;
	size += piece.is_known ? 0 : piece.size;
	room += piece.size;
	pieces.push_back(std::move(piece));
}

void ReadTask::run(Worker &worker)
{
	data.resize(size);
	for (Piece &piece : pieces) {
		if (piece.is_known)
			continue;
		worker.cancellation.check();
		uint8_t *bytes = data.data() + piece.at;
		if (piece.source) {
			piece.source->open().read(piece.offset, bytes, piece.size);
			piece.source->finished();
			piece.is_hole = all_zero(bytes, piece.size);
		} else {
			Source source(*piece.spec);
			source.read(0, bytes, piece.size);
			source.check_unchanged();
		}
		piece.hash = content_hash(bytes, piece.size);
	}
}

} // namespace native
