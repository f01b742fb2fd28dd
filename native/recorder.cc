#include "recorder.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <numeric>
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

// The file, written from front to back but for its header, which has the check of all.
class RecordOutput
{
public:
	explicit RecordOutput(const std::string &path)
		: path_(path), fd_(open(path.c_str(),
					O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600))
	{
		buffer_.reserve(buffer_size);
	}
	~RecordOutput()
	{
		if (fd_ < 0)
			return;
		close(fd_);
		unlink(path_.c_str());
	}
	RecordOutput(const RecordOutput &) = delete;
	RecordOutput &operator=(const RecordOutput &) = delete;

	void put(const void *data, size_t size)
	{
		auto *from = static_cast<const uint8_t *>(data);
		while (size > 0) {
			size_t some = std::min(size, buffer_size - buffer_.size());
			buffer_.insert(buffer_.end(), from, from + some);
			from += some;
			size -= some;
			if (buffer_.size() == buffer_size)
				flush();
		}
	}
	template <class Row> void put(const std::vector<Row> &rows)
	{
		const uint64_t zero = 0;
		size_t size = rows.size() * sizeof(Row);
		put(rows.data(), size);
		put(&zero, (size + 7) / 8 * 8 - size);
	}
	// Returns whether all of it is on the disk's way.
	bool finish(RecordHeader header, const std::string &key)
	{
		flush();
		header.check = check_.of(header, key);
		is_whole_ = is_whole_ && write_all(&header, sizeof header, 0);
		int fd = std::exchange(fd_, -1);
		is_whole_ = fd >= 0 && close(fd) == 0 && is_whole_;
		if (!is_whole_)
			unlink(path_.c_str());
		return is_whole_;
	}

private:
	static constexpr size_t buffer_size = 1 << 16;

	void flush()
	{
		check_.add(buffer_.data(), buffer_.size());
		is_whole_ = is_whole_ && write_all(buffer_.data(), buffer_.size(), end_);
		end_ += buffer_.size();
		buffer_.clear();
	}
	bool write_all(const void *data, size_t size, uint64_t at)
	{
		auto *from = static_cast<const uint8_t *>(data);
		while (size > 0) {
			ssize_t put = pwrite(fd_, from, size, static_cast<off_t>(at));
			if (put < 0 && errno == EINTR)
				continue;
			if (put < 0)
				return false;
			from += put;
			at += static_cast<size_t>(put);
			size -= static_cast<size_t>(put);
		}
		return true;
	}

	const std::string path_;
	int fd_;
	bool is_whole_ = true;
	uint64_t end_ = sizeof(RecordHeader);
	std::vector<uint8_t> buffer_;
	RecordCheck check_;
};

} // namespace

Recorder::Recorder(const WriteJob &job)
	: job_(job), began_(record_clock()), zeros_(job.block_size),
	  hash_of_hole_(content_hash(zeros_.data(), zeros_.size())), end_hashes_(job.files.size()),
	  holes_(job.files.size())
{
	uint64_t blocks = 0;
	first_blocks_.reserve(job.files.size());
	for (const FileSpec &file : job.files) {
		first_blocks_.push_back(blocks);
		blocks += job.block_count(file.size);
	}
	blocks_.resize(blocks);
}

void Recorder::add_block(uint32_t file, uint64_t index, const Block &block, bool is_kept)
{
	BlockRow &row = blocks_[first_blocks_[file] + index];
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
	end_hashes_[file] = hash;
	holes_[file] = is_hole;
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

FileRow Recorder::row_of(uint32_t file, const Result &result) const
{
	uint32_t original = result.files[file].duplicate_of;
	uint32_t same_as = original == no_duplicate ? file : original;
	FileRow row = {};
	row.size = job_.files[file].size;
	row.hash = hash_of(same_as);
	row.end_hash = end_hashes_[same_as];
	row.first_block = first_blocks_[same_as];
	row.same_as = same_as;
	row.fragment = result.files[same_as].fragment;
	row.state = holes_[same_as] ? row_hole_at_end : 0;
	row.tag = job_.compressions[job_.files[file].compression].tag;
	identify(row, job_.files[file]);
	return row;
}

uint64_t Recorder::hash_of(uint32_t file) const
{
	uint64_t size = job_.files[file].size, blocks = job_.block_count(size);
	if (blocks == 0)
		return end_hashes_[file];
	std::vector<uint64_t> hashes;
	for (uint64_t k = 0; k < blocks; k++)
		hashes.push_back(blocks_[first_blocks_[file] + k].hash);
	if (job_.end_size(size) > 0)
		hashes.push_back(end_hashes_[file]);
	return content_hash(hashes);
}

void Recorder::identify(FileRow &row, const FileSpec &file) const
{
	if (!file.is_whole_file())
		return;
	row.dev = file.dev();
	row.ino = file.ino();
	row.mtime_ns = file.mtime_ns();
	row.ctime_ns = file.ctime_ns();
	row.path = record_path(file);
	if (file.ctime_ns() < began_ - settled && file.ctime_ns() % second != 0)
		row.state |= row_settled;
}

// As the rows name them.
std::vector<uint32_t> Recorder::by_inode() const
{
	std::vector<uint32_t> rows(job_.files.size());
	std::iota(rows.begin(), rows.end(), 0);
	std::sort(rows.begin(), rows.end(), [&](uint32_t a, uint32_t b) {
		auto inode = [&](const FileSpec &file) {
			return file.is_whole_file() ? std::make_pair(file.dev(), file.ino()) :
						      std::make_pair(uint64_t(0), uint64_t(0));
		};
		return inode(job_.files[a]) < inode(job_.files[b]);
	});
	return rows;
}

bool Recorder::write(const RecordSpec &spec, const Result &result)
{
	RecordOutput output(spec.make);
	std::map<uint64_t, bool> local; // by device
	for (uint32_t i = 0; i < job_.files.size(); i++) {
		FileRow row = row_of(i, result);
		if (row.state & row_settled) {
			auto [known, is_new] = local.try_emplace(row.dev, false);
			if (is_new)
				known->second = is_local(job_.files[i].path());
			if (!known->second)
				row.state &= ~row_settled;
		}
		output.put(&row, sizeof row);
	}
	output.put(by_inode());
	output.put(blocks_);
	output.put(fragments_);
	output.put(parts_);
	RecordHeader header{ record_magic,   0,
			     began_,	     job_.files.size(),
			     blocks_.size(), fragments_.size(),
			     parts_.size() };
	return output.finish(header, spec.key);
}

} // namespace native
