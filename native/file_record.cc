#include "file_record.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_NAMESPACE ZSTD_ // as zstd compiles it
#define XXH_STATIC_LINKING_ONLY // a state of known size
#include <common/xxhash.h>

#include "pipeline.h"

namespace native
{
namespace
{

constexpr uint64_t row_limit = uint64_t(1) << 32;

// Numbers of 32 bits, padded.
size_t padded(uint64_t numbers)
{
	return (numbers * sizeof(uint32_t) + 7) / 8 * 8;
}

// Of a file that is no record `size` is 0.
struct ReadFile {
	Words bytes;
	size_t size;
};

// Whether a record of this size may begin so.
bool fits_size(const RecordHeader &header, size_t size)
{
	return header.magic == record_magic && header.files < row_limit &&
	       header.blocks < row_limit && header.fragments < row_limit &&
	       header.parts < row_limit &&
	       size == sizeof header + header.files * sizeof(FileRow) + padded(header.files) +
			       header.blocks * sizeof(BlockRow) +
			       header.fragments * sizeof(FragmentRow) + padded(header.parts);
}

bool read_fully(int fd, void *buffer, size_t size)
{
	auto *to = static_cast<uint8_t *>(buffer);
	size_t at = 0;
	while (at < size) {
		ssize_t got = ::read(fd, to + at, size - at);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		at += static_cast<size_t>(got);
	}
	return true;
}

// Takes memory for what its header and its size agree about alone: a file may say that it is of any size.
std::optional<ReadFile> read_file(const std::string &path)
{
	int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return {};
	ReadFile file{ nullptr, 0 };
	RecordHeader header;
	struct stat status;
	if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) &&
	    read_fully(fd, &header, sizeof header) &&
	    fits_size(header, static_cast<size_t>(status.st_size))) {
		size_t size = static_cast<size_t>(status.st_size);
		file.bytes.reset(static_cast<uint64_t *>(malloc(size)));
		if (file.bytes) {
			memcpy(file.bytes.get(), &header, sizeof header);
			if (read_fully(fd, file.bytes.get() + sizeof header / 8,
				       size - sizeof header))
				file.size = size;
		}
	}
	close(fd);
	return file;
}

auto inode_of(const FileRow &row)
{
	return std::make_pair(row.dev, row.ino);
}

} // namespace

struct RecordCheck::State {
	XXH64_state_t body;
};

RecordCheck::RecordCheck() : state_(std::make_unique<State>())
{
	XXH64_reset(&state_->body, 0);
}

RecordCheck::~RecordCheck() = default;

void RecordCheck::add(const void *data, size_t size)
{
	XXH64_update(&state_->body, data, size);
}

uint64_t RecordCheck::of(const RecordHeader &header, const std::string &key) const
{
	uint64_t check = XXH64(key.data(), key.size(), XXH64_digest(&state_->body));
	return XXH64(&header.began, sizeof header - offsetof(RecordHeader, began), check);
}

uint64_t record_path(const FileSpec &file)
{
	std::string path = file.path();
	return XXH64(path.data(), path.size(), 0);
}

int64_t record_clock()
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	return nanoseconds(now);
}

KnownFiles::KnownFiles(const RecordSpec &spec, const WriteJob &job)
{
	const std::vector<FileSpec> &files = job.files;
	for (uint32_t i = 0; i < spec.kept.size(); i++) {
		std::optional<Record> record = read(spec.kept[i], spec.key, job);
		if (!record)
			continue;
		std::vector<uint32_t> rows;
		rows.reserve(files.size());
		uint32_t count = 0;
		for (const FileSpec &file : files) {
			rows.push_back(find(*record, file, job));
			count += rows.back() != none;
		}
		if (count <= count_)
			continue;
		record_ = std::move(record);
		rows_ = std::move(rows);
		count_ = count;
		used_ = i;
		if (count >= files.size() / 10 * 9)
			break;
	}
}

const BlockRow *KnownFiles::fragment(const std::vector<uint32_t> &files) const
{
	for (uint32_t file : files) {
		if (!knows(file))
			return nullptr;
	}
	uint32_t first = row(files.front()).same_as;
	uint32_t index = record_->files[first].fragment;
	if (index == none)
		return nullptr;
	const FragmentRow &found = record_->fragments[index];
	if (found.parts != files.size())
		return nullptr;
	for (size_t i = 0; i < files.size(); i++) {
		if (record_->parts[found.first_part + i] != row(files[i]).same_as)
			return nullptr;
	}
	return &found.block;
}

std::optional<KnownFiles::Record> KnownFiles::read(const std::string &path, const std::string &key,
						   const WriteJob &job)
{
	std::optional<ReadFile> file = read_file(path);
	if (!file)
		return {};
	RecordHeader header = {};
	bool fits = file->size > 0;
	if (fits)
		memcpy(&header, file->bytes.get(), sizeof header);
	const uint64_t *at = fits ? file->bytes.get() + sizeof header / 8 : nullptr;
	if (fits) {
		RecordCheck check;
		check.add(at, file->size - sizeof header);
		fits = check.of(header, key) == header.check;
	}
	Record record;
	if (fits) {
		take(at, record.files, header.files);
		take(at, record.by_inode, header.files);
		take(at, record.blocks, header.blocks);
		take(at, record.fragments, header.fragments);
		take(at, record.parts, header.parts);
		record.bytes = std::move(file->bytes);
		fits = is_sound(record, job);
	}
	if (!fits) {
		unlink(path.c_str());
		return {};
	}
	// The clock was set back: a change may be as old as what is recorded.
	if (header.began > record_clock())
		return {};
	return record;
}

// Whether all that its rows name is there.
bool KnownFiles::is_sound(const Record &record, const WriteJob &job)
{
	uint64_t files = record.files.size(), blocks = record.blocks.size();
	for (const FileRow &row : record.files) {
		if (row.same_as >= files || row.first_block > blocks ||
		    job.block_count(row.size) > blocks - row.first_block ||
		    (row.fragment != none && row.fragment >= record.fragments.size()))
			return false;
	}
	for (uint32_t row : record.by_inode) {
		if (row >= files)
			return false;
	}
	for (const FragmentRow &fragment : record.fragments) {
		if (fragment.first_part > record.parts.size() ||
		    fragment.parts > record.parts.size() - fragment.first_part)
			return false;
	}
	return true;
}

uint32_t KnownFiles::find(const Record &record, const FileSpec &file, const WriteJob &job)
{
	if (!file.is_whole_file())
		return none;
	auto wanted = std::make_pair(file.dev(), file.ino());
	auto found = std::lower_bound(record.by_inode.begin(), record.by_inode.end(), wanted,
				      [&](uint32_t row, const auto &inode) {
					      return inode_of(record.files[row]) < inode;
				      });
	for (; found != record.by_inode.end(); ++found) {
		const FileRow &row = record.files[*found];
		if (inode_of(row) != wanted)
			break;
		if ((row.state & row_settled) && row.size == file.size &&
		    row.mtime_ns == file.mtime_ns() && row.ctime_ns == file.ctime_ns() &&
		    row.tag == job.compressions[file.compression].tag &&
		    row.path == record_path(file))
			return *found;
	}
	return none;
}

} // namespace native
