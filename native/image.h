// An image that someone else made, through the C reader in runtime/squashfs.
#ifndef NATIVE_IMAGE_H
#define NATIVE_IMAGE_H

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "cancellation.h"

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

// A reader serves one thread at a time. All functions but `super` and `reader` throw ImageFailure.
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

	// For whoever holds the lock.
	std::unique_lock<std::mutex> lock()
	{
		return std::unique_lock(mutex_);
	}
	struct sqfs_reader *reader() const
	{
		return reader_;
	}
	[[noreturn]] void fail(int error, const std::string &path) const;
	// What the reader returned, unless that is a failure.
	int checked(int64_t result, const std::string &path) const;

	// Up to `size` bytes of a file at `position`; 0 at its end. Takes the lock.
	size_t read(uint64_t ref, uint64_t position, void *buffer, size_t size);

	// Takes the lock; throws Failure too, when it is cancelled.
	struct extract_report extract(const std::string &directory, struct extract_options options,
				      const Cancellation &cancellation);

private:
	struct sqfs fs_;
	struct sqfs_reader *reader_;
	std::mutex mutex_;
};

} // namespace native

#endif
