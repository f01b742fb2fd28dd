#include "recorder.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <utility>

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "duplicates.h"

namespace native
{
namespace
{

constexpr int64_t second = 1000000000; // ns
constexpr int64_t settled = 2 * second; // also where times are of whole seconds or two

// Those whose times are of this machine's clock.
bool is_local(const std::string &path)
{
	struct statfs where;
	if (statfs(path.c_str(), &where) != 0)
		return false;
	constexpr uint32_t bcachefs = 0xca451a4e, zfs = 0x2fc12fc1; // not in magic.h
	switch (static_cast<uint32_t>(where.f_type)) {
	case EXT4_SUPER_MAGIC:
	case XFS_SUPER_MAGIC:
	case BTRFS_SUPER_MAGIC:
	case F2FS_SUPER_MAGIC:
	case TMPFS_MAGIC:
	case RAMFS_MAGIC:
	case OVERLAYFS_SUPER_MAGIC:
	case bcachefs:
	case zfs:
		return true;
	default:
		return false;
	}
}

template <class Row> void put(std::vector<uint8_t> &body, const std::vector<Row> &rows)
{
	size_t at = body.size(), size = rows.size() * sizeof(Row);
	body.resize(at + (size + 7) / 8 * 8);
	if (size > 0)
		memcpy(body.data() + at, rows.data(), size);
}

bool write_file(const std::string &path, const RecordHeader &header,
		const std::vector<uint8_t> &body)
{
	int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return false;
	auto write_all = [fd](const void *data, size_t size) {
		auto *from = static_cast<const uint8_t *>(data);
		while (size > 0) {
			ssize_t put = write(fd, from, size);
			if (put < 0 && errno == EINTR)
				continue;
			if (put < 0)
				return false;
			from += put;
			size -= static_cast<size_t>(put);
		}
		return true;
	};
	bool whole = write_all(&header, sizeof header) && write_all(body.data(), body.size());
	whole = close(fd) == 0 && whole;
	if (!whole)
		unlink(path.c_str());
	return whole;
}

} // namespace

Recorder::Recorder(const WriteJob &job)
	: job_(job), began_(record_clock()), zeros_(job.block_size),
	  hash_of_hole_(content_hash(zeros_.data(), zeros_.size()))
{
	uint64_t blocks = 0;
	for (const FileSpec &file : job.files) {
		FileRow row = {};
		row.size = file.size;
		row.first_block = blocks;
		row.fragment = none;
		row.tag = job.compressions[file.compression].tag;
		files_.push_back(row);
		blocks += job.block_count(file.size);
	}
	blocks_.resize(blocks);
}

void Recorder::add_block(uint32_t file, uint64_t index, const Block &block, bool is_kept)
{
	BlockRow &row = blocks_[files_[file].first_block + index];
	if (block.size_word == 0) {
		uint32_t size = job_.size_of_block(job_.files[file].size, index);
		bool is_whole = size == job_.block_size;
		row = { is_whole ? hash_of_hole_ : content_hash(zeros_.data(), size), 0, 0, size };
	} else if (is_kept) {
		row = { block.hash, block.check, block.size_word, block.contents };
	} else {
		row = { block.hash, 0, 0, 0 };
	}
}

void Recorder::add_end(uint32_t file, uint64_t hash, bool is_hole)
{
	files_[file].hash = files_[file].end_hash = hash;
	files_[file].state |= is_hole ? row_hole_at_end : 0;
}

void Recorder::add_fragment(const std::vector<uint32_t> &files)
{
	fragments_.push_back({ {}, parts_.size(), files.size() });
	parts_.insert(parts_.end(), files.begin(), files.end());
}

void Recorder::complete_fragment(uint64_t index, const Block &block, bool is_kept)
{
	if (is_kept)
		fragments_[index].block = { block.hash, block.check, block.size_word,
					    block.contents };
}

// What is only known when all is written.
void Recorder::complete(const Result &result)
{
	for (uint32_t i = 0; i < files_.size(); i++) {
		FileRow &row = files_[i];
		const FileSpec &file = job_.files[i];
		uint32_t original = result.files[i].duplicate_of;
		if (original != no_duplicate) {
			row = files_[original]; // which is complete, being earlier
			row.state &= row_hole_at_end;
			identify(row, file);
			continue;
		}
		row.same_as = i;
		row.fragment = result.files[i].fragment;
		uint64_t blocks = job_.block_count(file.size);
		if (blocks > 0) {
			std::vector<uint64_t> hashes;
			for (uint64_t k = 0; k < blocks; k++)
				hashes.push_back(blocks_[row.first_block + k].hash);
			if (job_.end_size(file.size) > 0)
				hashes.push_back(row.end_hash);
			row.hash = content_hash(hashes);
		}
		identify(row, file);
	}
}

void Recorder::identify(FileRow &row, const FileSpec &file) const
{
	if (!file.is_whole_file()) {
		row.dev = row.ino = 0;
		return;
	}
	row.dev = file.dev;
	row.ino = file.ino;
	row.mtime_ns = file.mtime_ns;
	row.ctime_ns = file.ctime_ns;
	row.path = record_path(file);
	if (file.ctime_ns < began_ - settled && file.ctime_ns % second != 0)
		row.state |= row_settled;
}

std::vector<uint8_t> Recorder::body(const std::vector<uint32_t> &by_inode) const
{
	std::vector<uint8_t> bytes;
	// Grown step by step it would for a while take three times as much. Two of the parts are padded.
	bytes.reserve(sizeof(FileRow) * files_.size() + sizeof(BlockRow) * blocks_.size() +
		      sizeof(FragmentRow) * fragments_.size() +
		      sizeof(uint32_t) * (by_inode.size() + parts_.size() + 4));
	put(bytes, files_);
	put(bytes, by_inode);
	put(bytes, blocks_);
	put(bytes, fragments_);
	put(bytes, parts_);
	return bytes;
}

bool Recorder::write(const RecordSpec &spec, const Result &result)
{
	complete(result);
	std::map<uint64_t, bool> local; // by device
	std::vector<uint32_t> by_inode;
	for (uint32_t i = 0; i < files_.size(); i++) {
		FileRow &row = files_[i];
		by_inode.push_back(i);
		if (!(row.state & row_settled))
			continue;
		auto [known, is_new] = local.try_emplace(row.dev, false);
		if (is_new)
			known->second = is_local(job_.files[i].path());
		if (!known->second)
			row.state &= ~row_settled;
	}
	std::sort(by_inode.begin(), by_inode.end(), [&](uint32_t a, uint32_t b) {
		auto inode = [&](uint32_t i) {
			return std::make_pair(files_[i].dev, files_[i].ino);
		};
		return inode(a) < inode(b);
	});
	std::vector<uint8_t> bytes = body(by_inode);
	RecordHeader header{ record_magic,   0,
			     began_,	     files_.size(),
			     blocks_.size(), fragments_.size(),
			     parts_.size() };
	header.check = record_check(header, bytes, spec.key);
	return write_file(spec.make, header, bytes);
}

} // namespace native
