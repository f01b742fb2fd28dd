#include "packer.h"

#include <cstring>
#include <utility>

#include "duplicates.h"

namespace native
{

SmallFiles::SmallFiles(const WriteJob &job)
{
	size_t count = 0, room = 1;
	for (const FileSpec &file : job.files)
		count += job.block_count(file.size) == 0;
	// A quarter stays empty, or looking for what is not there would take long.
	while (room <= count + count / 3)
		room *= 2;
	slots_.resize(room);
	mask_ = room - 1;
}

void SmallFiles::add(uint64_t hash, uint32_t file)
{
	size_t at = hash & mask_;
	while (slots_[at].file != none)
		at = (at + 1) & mask_;
	slots_[at] = { static_cast<uint32_t>(hash >> 32), file };
}

Packer::Packer(const WriteJob &job, const KnownFiles &known, const BlockStore *store,
	       Result &result)
	: job_(job), known_(known), store_(store), result_(result), open_(job.compressions.size()),
	  packed_(job)
{
}

bool Packer::needs_room(const ReadTask &task, const ReadTask::Piece &piece)
{
	if (piece.source)
		return true;
	uint32_t earlier = packed_.find(piece.hash, [&](uint32_t file) {
		const FileSpec &spec = job_.files[file];
		return spec.size == piece.size && spec.compression == piece.spec->compression &&
		       same(task, piece, file);
	});
	result_.files[piece.file].duplicate_of = earlier;
	if (earlier != none)
		return false;
	packed_.add(piece.hash, piece.file);
	return true;
}

// What is in an open fragment is compared there, unless it was not read; anything else with the earlier
// file itself: closed fragments are not kept in memory.
bool Packer::same(const ReadTask &task, const ReadTask::Piece &piece, uint32_t earlier) const
{
	if (known_.same(piece.file, earlier))
		return true;
	const FileSpec &spec = job_.files[earlier];
	if (piece.is_known)
		return same_contents(*piece.spec, spec);
	const uint8_t *bytes = task.data.data() + piece.at;
	const FileResult &place = result_.files[earlier];
	if (place.fragment == no_fragment && !known_.knows(earlier)) {
		const std::vector<uint8_t> &open = open_[spec.end_compression].bytes;
		return memcmp(open.data() + place.fragment_offset, bytes, piece.size) == 0;
	}
	return has_contents(spec, bytes, piece.size);
}

bool Packer::has_room(const ReadTask::Piece &piece) const
{
	return open_[piece.spec->end_compression].bytes.size() + piece.size <= job_.block_size;
}

void Packer::add(const ReadTask &task, const ReadTask::Piece &piece)
{
	Open &open = open_[piece.spec->end_compression];
	auto at = static_cast<uint32_t>(open.bytes.size());
	result_.files[piece.file].fragment_offset = at;
	open.bytes.reserve(job_.block_size);
	open.files.push_back(piece.file);
	if (piece.is_known) {
		open.bytes.resize(at + piece.size);
		open.unread.push_back({ piece.spec, piece.offset, piece.size, at });
		return;
	}
	const uint8_t *bytes = task.data.data() + piece.at;
	open.bytes.insert(open.bytes.end(), bytes, bytes + piece.size);
}

bool Packer::is_empty() const
{
	for (const Open &open : open_) {
		if (!open.files.empty())
			return false;
	}
	return true;
}

Packer::Fragment Packer::close(const ReadTask::Piece &piece)
{
	return close(piece.spec->end_compression);
}

Packer::Fragment Packer::close_one()
{
	uint8_t compression = 0;
	while (open_[compression].files.empty())
		compression++;
	return close(compression);
}

Packer::Fragment Packer::close(uint8_t compression)
{
	Open open = std::exchange(open_[compression], {});
	for (uint32_t file : open.files)
		result_.files[file].fragment = closed_;
	closed_++;
	bool is_unread = open.unread.size() == open.files.size();
	const BlockRow *row = is_unread ? known_.fragment(open.files) : nullptr;
	auto task = std::make_shared<FragmentTask>(std::move(open.bytes), std::move(open.unread),
						   making(compression, row));
	return { std::move(task), std::move(open.files) };
}

// What is stored as it is costs as much to find as to read, and is not what an earlier image has compressed.
Making Packer::making(uint8_t compression, const BlockRow *row) const
{
	if (job_.compressions[compression].codec != Codec::none)
		return { compression, store_, row };
	bool is_compressed = row && row->size_word != 0;
	return { compression, nullptr, is_compressed ? nullptr : row };
}

} // namespace native
