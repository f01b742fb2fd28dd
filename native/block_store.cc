#include "block_store.h"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_NAMESPACE ZSTD_ // as zstd compiles it
#include <common/xxhash.h>

#include "duplicates.h"
#include "failure.h"
#include "file_record.h"
#include "tasks.h"

namespace native
{
namespace
{

constexpr uint32_t stored = 1u << 24, size_mask = stored - 1;
constexpr unsigned tag_shift = 24; // beyond the largest block
constexpr uint64_t magic = 0x3153'4b4c'4253'4c46; // "FLSBLKS1"
constexpr uint64_t check_seed = 0x9e37'79b9'7f4a'7c15; // another one than a hash has

struct Trailer {
	uint64_t count, check, magic;
};

// x86_64 and aarch64, the machines that this is built for, are little-endian.
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__);

uint64_t check_of(const void *data, size_t size)
{
	return XXH64(data, size, check_seed);
}

bool read_all(int fd, void *buffer, size_t size, uint64_t offset)
{
	auto *to = static_cast<uint8_t *>(buffer);
	while (size > 0) {
		ssize_t got = pread(fd, to, size, static_cast<off_t>(offset));
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		to += got;
		offset += static_cast<size_t>(got);
		size -= static_cast<size_t>(got);
	}
	return true;
}

} // namespace

// One that is read. It stays open: whoever removes it takes nothing away from this image.
class KeptFile
{
public:
	KeptFile(const std::string &path, const std::string &key)
		: path_(path), fd_(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW))
	{
		if (fd_ >= 0 && !read_rows(key))
			damaged();
	}
	~KeptFile()
	{
		if (fd_ >= 0)
			close(fd_);
	}
	KeptFile(const KeptFile &) = delete;
	KeptFile &operator=(const KeptFile &) = delete;

	// Reads the bytes of a block; empty when they are not what was written.
	std::vector<uint8_t> read(const BlockStore::Row &row) const
	{
		std::vector<uint8_t> bytes(row.size_word & size_mask);
		if (!read_all(fd_, bytes.data(), bytes.size(), row.offset) ||
		    check_of(bytes.data(), bytes.size()) != row.check) {
			damaged();
			bytes.clear();
		}
		return bytes;
	}

	std::vector<BlockStore::Row> rows;
	mutable std::atomic<bool> used{ false };

private:
	bool read_rows(const std::string &key)
	{
		struct stat status;
		Trailer trailer;
		if (fstat(fd_, &status) != 0 || !S_ISREG(status.st_mode))
			return false;
		auto size = static_cast<uint64_t>(status.st_size);
		if (size < sizeof trailer ||
		    !read_all(fd_, &trailer, sizeof trailer, size - sizeof trailer))
			return false;
		uint64_t room = (size - sizeof trailer) / sizeof(BlockStore::Row);
		if (trailer.magic != magic || trailer.count > room)
			return false;
		uint64_t end = size - sizeof trailer - trailer.count * sizeof(BlockStore::Row);
		rows.resize(trailer.count);
		size_t bytes = rows.size() * sizeof(BlockStore::Row);
		if (!read_all(fd_, rows.data(), bytes, end) ||
		    trailer.check != XXH64(rows.data(), bytes, check_of(key.data(), key.size()))) {
			rows.clear();
			return false;
		}
		return true;
	}
	void damaged() const
	{
		unlink(path_.c_str());
	}

	const std::string path_;
	const int fd_;
};

BlockStore::BlockStore(const StoreSpec &spec) : spec_(spec)
{
	for (const StoreSpec::Kept &kept : spec.kept) {
		auto file = std::make_unique<KeptFile>(kept.path, spec.key);
		for (uint32_t row = 0; row < file->rows.size(); row++)
			places_.emplace(file->rows[row].hash,
					Place{ static_cast<uint32_t>(files_.size()), row });
		files_.push_back(std::move(file));
	}
	if (!spec.make.empty())
		fd_ = open(spec.make.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
			   0600);
}

BlockStore::~BlockStore()
{
	if (fd_ >= 0)
		close(fd_);
}

bool BlockStore::take(const uint8_t *data, size_t size, uint8_t compression, Worker &worker,
		      Block &block) const
{
	block.hash = content_hash(data, size);
	uint32_t tag = worker.compressions[compression].tag;
	block.contents = static_cast<uint32_t>(size) | tag << tag_shift;
	auto [begin, end] = places_.equal_range(block.hash);
	for (auto found = begin; found != end; ++found) {
		const KeptFile &file = *files_[found->second.file];
		const Row &row = file.rows[found->second.row];
		if (row.contents != block.contents)
			continue;
		if (row.size_word & stored) {
			block.check = check_of(data, size);
			if (row.check != block.check)
				continue;
			block.bytes.assign(data, data + size);
		} else {
			std::vector<uint8_t> bytes = file.read(row);
			if (bytes.empty() || bytes.size() >= size ||
			    !worker.compressor(compression)
				     .holds(bytes.data(), bytes.size(), data, size,
					    worker.output.data()))
				continue;
			block.check = row.check;
			block.bytes = std::move(bytes);
		}
		block.size_word = row.size_word;
		block.is_kept = !spec_.kept[found->second.file].folded;
		file.used = true;
		return true;
	}
	return false;
}

bool BlockStore::take_recorded(const BlockRow &row, Block &block) const
{
	bool is_found = false;
	auto [begin, end] = places_.equal_range(row.hash);
	for (auto place = begin; place != end; ++place) {
		const KeptFile &file = *files_[place->second.file];
		const Row &found = file.rows[place->second.row];
		if (found.check != row.check || found.contents != row.contents ||
		    found.size_word != row.size_word || (found.size_word & stored))
			continue;
		std::vector<uint8_t> bytes = file.read(found);
		if (bytes.empty())
			continue;
		// Builds at the same time keep the same block twice; others of the same sums are crafted.
		if (is_found && bytes != block.bytes)
			return false;
		block.bytes = std::move(bytes);
		block.is_kept = !spec_.kept[place->second.file].folded;
		file.used = true;
		is_found = true;
	}
	block.hash = row.hash;
	block.check = row.check;
	block.contents = row.contents;
	block.size_word = row.size_word;
	return is_found;
}

bool BlockStore::keep(Block &block)
{
	if (block.contents == 0)
		return false;
	bool is_stored = (block.size_word & stored) != 0;
	if (block.is_kept)
		return !is_stored;
	if (fd_ < 0)
		return false;
	block.check = check_of(block.bytes.data(), block.bytes.size());
	auto known = written_.find(block.hash);
	if (known != written_.end())
		return !is_stored && has_written(block, known->second);
	uint64_t size = is_stored ? 0 : block.bytes.size();
	uint64_t rows = (rows_.size() + 1) * sizeof(Row);
	if (end_ + size + rows + sizeof(Trailer) > spec_.limit)
		return false;
	written_.emplace(block.hash, static_cast<uint32_t>(rows_.size()));
	rows_.push_back({ block.hash, block.check, end_, block.size_word, block.contents });
	write_all(block.bytes.data(), size);
	return !is_stored;
}

bool BlockStore::has_written(const Block &block, uint32_t index) const
{
	const Row &row = rows_[index];
	if (row.check != block.check || row.size_word != block.size_word ||
	    row.contents != block.contents)
		return false;
	std::vector<uint8_t> bytes(block.bytes.size());
	return read_all(fd_, bytes.data(), bytes.size(), row.offset) && bytes == block.bytes;
}

uint64_t BlockStore::finish()
{
	Trailer trailer{ rows_.size(), 0, magic };
	size_t bytes = rows_.size() * sizeof(Row);
	trailer.check = XXH64(rows_.data(), bytes, check_of(spec_.key.data(), spec_.key.size()));
	write_all(rows_.data(), bytes);
	write_all(&trailer, sizeof trailer);
	if (rows_.empty())
		abandon();
	return fd_ < 0 ? 0 : rows_.size();
}

std::vector<bool> BlockStore::used() const
{
	std::vector<bool> used;
	for (const auto &file : files_)
		used.push_back(file->used);
	return used;
}

void BlockStore::write_all(const void *data, size_t size)
{
	const auto *from = static_cast<const uint8_t *>(data);
	while (fd_ >= 0 && size > 0) {
		ssize_t put = pwrite(fd_, from, size, static_cast<off_t>(end_));
		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0) {
			abandon();
			return;
		}
		from += put;
		end_ += static_cast<size_t>(put);
		size -= static_cast<size_t>(put);
	}
}

void BlockStore::abandon()
{
	if (fd_ < 0)
		return;
	unlink(spec_.make.c_str());
	close(fd_);
	fd_ = -1;
}

} // namespace native
