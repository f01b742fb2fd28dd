#include "cached_blocks.h"

#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include "failure.h"

namespace native
{
namespace
{

constexpr uint32_t stored = 1u << 24, size_mask = stored - 1;

uint64_t header_size(uint64_t count)
{
	return sizeof(uint64_t) + count * sizeof(uint32_t);
}

// x86_64 and aarch64, the machines that this is built for, are little-endian.
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__);

} // namespace

std::shared_ptr<const CachedBlocks> CachedBlocks::open(const std::string &path, uint64_t count,
						       uint32_t block_size)
{
	try {
		return std::shared_ptr<const CachedBlocks>(
			new CachedBlocks(path, count, block_size));
	} catch (const Failure &) {
		unlink(path.c_str());
		return nullptr;
	}
}

CachedBlocks::CachedBlocks(const std::string &path, uint64_t count, uint32_t block_size)
	: path_(path), fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW)), words_(count),
	  offsets_(count)
{
	if (fd_ < 0)
		throw Failure{ Failure::Kind::read, errno, "open", path };
	try {
		uint64_t found = 0;
		read_all(reinterpret_cast<uint8_t *>(&found), sizeof found, 0);
		if (found != count)
			throw Failure{ Failure::Kind::read, EINVAL, "count blocks", path };
		read_all(reinterpret_cast<uint8_t *>(words_.data()), count * sizeof(uint32_t),
			 sizeof found);
		uint64_t offset = header_size(count);
		for (uint64_t i = 0; i < count; i++) {
			if ((words_[i] & size_mask) > block_size)
				throw Failure{ Failure::Kind::read, EINVAL, "size blocks", path };
			offsets_[i] = offset;
			offset += words_[i] & size_mask;
		}
	} catch (...) {
		close(fd_);
		throw;
	}
}

CachedBlocks::~CachedBlocks()
{
	close(fd_);
}

void CachedBlocks::read(uint64_t index, Block &block) const
{
	block.size_word = words_[index];
	block.bytes.resize(words_[index] & size_mask);
	read_all(block.bytes.data(), block.bytes.size(), offsets_[index]);
}

bool CachedBlocks::take(uint64_t index, size_t size, Worker &worker, Block &block) const
{
	const uint8_t *bytes = worker.input.data();
	bool holds = false;
	Block found;
	try {
		read(index, found);
		if (found.size_word & stored)
			holds = found.bytes.size() == size &&
				memcmp(found.bytes.data(), bytes, size) == 0;
		else
			holds = worker.compressor->holds(found.bytes.data(), found.bytes.size(),
							 bytes, size, worker.output.data());
	} catch (const Failure &) {
		// Cut short since it was looked at.
	}
	if (holds)
		block = std::move(found);
	else
		unlink(path_.c_str());
	return holds;
}

void CachedBlocks::read_all(uint8_t *buffer, size_t size, uint64_t offset) const
{
	while (size > 0) {
		ssize_t got = pread(fd_, buffer, size, static_cast<off_t>(offset));
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			throw Failure{ Failure::Kind::read, got < 0 ? errno : EINVAL, "read",
				       path_ };
		buffer += got;
		offset += static_cast<size_t>(got);
		size -= static_cast<size_t>(got);
	}
}

BlockHolder::BlockHolder(const std::string &path, uint64_t count)
	: path_(path),
	  fd_(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600)),
	  end_(header_size(count))
{
	if (fd_ < 0)
		throw Failure{ Failure::Kind::write, errno, "open", path };
	words_.reserve(count);
}

BlockHolder::~BlockHolder()
{
	close(fd_);
}

void BlockHolder::append(const Block &block)
{
	words_.push_back(block.size_word);
	write_all(block.bytes.data(), block.bytes.size(), end_);
	end_ += block.bytes.size();
}

void BlockHolder::finish()
{
	uint64_t count = words_.size();
	write_all(reinterpret_cast<const uint8_t *>(&count), sizeof count, 0);
	write_all(reinterpret_cast<const uint8_t *>(words_.data()), count * sizeof(uint32_t),
		  sizeof count);
}

void BlockHolder::write_all(const uint8_t *data, size_t size, uint64_t offset)
{
	while (size > 0) {
		ssize_t put = pwrite(fd_, data, size, static_cast<off_t>(offset));
		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			throw Failure{ Failure::Kind::write, errno, "write", path_ };
		data += put;
		offset += static_cast<size_t>(put);
		size -= static_cast<size_t>(put);
	}
}

} // namespace native
