// Reading files that other processes may be changing meanwhile.
#ifndef NATIVE_SOURCE_H
#define NATIVE_SOURCE_H

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <sys/stat.h>

#include "generated/addon.h"

namespace native
{

// A file as it was scanned, or contents in memory.
//
// There may be millions of them: what most files share or do not have stands elsewhere.
struct FileSpec {
	const std::string *folder = nullptr; // what stands before the name
	const char *name = nullptr;
	const int64_t *identity = nullptr; // an identity_row; null in memory
	uint64_t size = 0; // of the contents
	uint64_t offset = 0; // of them in the file
	// Contents that differ from the file: bytes in the place of its own, in ascending order.
	struct Piece {
		uint64_t offset;
		std::vector<uint8_t> bytes;
	};
	struct Given {
		bool is_changed = false; // what neither the file nor a piece has is zero
		uint64_t file_size = 0; // of one that is changed
		std::vector<Piece> pieces;
		bool in_memory = false;
		std::vector<uint8_t> memory;
	};
	std::unique_ptr<Given> given; // null: all of it is the file's
	uint8_t compression = 0; // index in WriteJob::compressions
	uint8_t end_compression = 0; // the same of what goes into a fragment

	// Bytes, NUL-free; not of one in memory.
	std::string path() const
	{
		return *folder + name;
	}
	uint64_t file_size() const
	{
		return is_changed() ? given->file_size : number(identity_row::size);
	}
	uint64_t dev() const
	{
		return number(identity_row::dev);
	}
	uint64_t ino() const
	{
		return number(identity_row::ino);
	}
	int64_t mtime_ns() const
	{
		return identity[identity_row::mtime_ns];
	}
	int64_t ctime_ns() const
	{
		return identity[identity_row::ctime_ns];
	}
	bool in_memory() const
	{
		return given && given->in_memory;
	}
	bool is_changed() const
	{
		return given && given->is_changed;
	}
	Given &give()
	{
		if (!given)
			given = std::make_unique<Given>();
		return *given;
	}

	// Whether what the kernel says of the file is said of these contents and of no others: of a file
	// that holds those of many, as an archive does, it tells them apart by nothing.
	bool is_whole_file() const
	{
		return !given && offset == 0 && file_size() == size;
	}

private:
	uint64_t number(size_t column) const
	{
		return static_cast<uint64_t>(identity[column]);
	}
};

int64_t nanoseconds(const struct timespec &time);

// One file held open for reading. All functions throw Failure.
class Source
{
public:
	// Opens without following a link and without waiting (a fifo may have taken the place),
	// and checks that this is the file that was scanned.
	explicit Source(const FileSpec &spec);
	~Source();
	Source(const Source &) = delete;
	Source &operator=(const Source &) = delete;

	// Reads exactly [offset, offset + size) of the contents. The file ending earlier means that
	// it changed.
	void read(uint64_t offset, uint8_t *buffer, size_t size) const;

	// True when the file system knows [offset, offset + size) to be a hole.
	bool is_hole(uint64_t offset, size_t size) const;

	// To be called after the last read: whatever was read before belongs together.
	void check_unchanged() const;

private:
	void read_file(uint64_t offset, uint8_t *buffer, size_t size) const;

	const FileSpec &spec_;
	int fd_ = -1;
	bool sparse_ = false;
};

} // namespace native

#endif
