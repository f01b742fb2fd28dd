// An image that someone else made, through the C reader in runtime/squashfs.
#ifndef NATIVE_IMAGE_H
#define NATIVE_IMAGE_H

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

extern "C" {
#include "squashfs/extract.h"
#include "squashfs/squashfs.h"
}

namespace native
{

// What went wrong with an image, or with the directory it was extracted into.
struct ImageFailure {
	int error; // SQFS_E*, 0 where system_error says what failed
	int system_error; // errno
	std::string fault; // which place of the image
	std::string path; // in the image, bytes; may be empty
};

struct ImageEntry {
	std::string path; // bytes, "" is the root
	struct sqfs_inode inode;
	std::string target;
	std::vector<std::pair<std::string, std::string>> xattrs;
};

// All functions but `super` throw ImageFailure; they may be called from any thread.
class Image
{
public:
	// The descriptor is borrowed.
	Image(int fd, uint64_t offset);
	~Image();
	Image(const Image &) = delete;
	Image &operator=(const Image &) = delete;

	const struct sqfs_super &super() const
	{
		return fs_.super;
	}

	// Every entry, parents first, in the order of the image.
	std::vector<ImageEntry> list();

	// Up to `size` bytes of a file at `position`; 0 at its end.
	size_t read(uint64_t ref, uint64_t position, void *buffer, size_t size);

	struct extract_report extract(const std::string &directory,
				      const struct extract_options &options);

private:
	struct Directory;

	ImageEntry entry(std::string path, uint64_t ref);
	[[noreturn]] void fail(int error, const std::string &path);
	int checked(int64_t result, const std::string &path);

	struct sqfs fs_;
	struct sqfs_reader *reader_;
	std::mutex mutex_; // a reader serves one thread at a time
};

} // namespace native

#endif
