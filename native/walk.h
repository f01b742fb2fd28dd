// All entries of an image, some at a time.
#ifndef NATIVE_WALK_H
#define NATIVE_WALK_H

#include "image.h"

extern "C" {
#include "squashfs/census.h"
}

#include <unordered_map>

namespace native
{

// Name and value of each.
using Attributes = std::vector<std::pair<std::string, std::string>>;

constexpr uint32_t no_attributes = UINT32_MAX;

struct ImageEntry {
	std::string path; // bytes, "" is the root
	struct sqfs_inode inode;
	std::string target; // of a symbolic link, bytes
	uint32_t attributes; // which of the sets that were handed out so far, or no_attributes
};

struct WalkPart {
	std::vector<ImageEntry> entries; // none at the end
	std::vector<Attributes> attributes; // sets that are new
};

// An image's tables may be made so that little of them says a lot. What makes no tree is refused
// (squashfs/census.h), and so are names, links and attributes that are out of all proportion to the
// image: whoever asks for the entries may keep them all.
class Walk
{
public:
	explicit Walk(std::shared_ptr<Image> image);
	~Walk();
	Walk(const Walk &) = delete;
	Walk &operator=(const Walk &) = delete;

	// Parents first, in the order of the image, at most `count`. Throws ImageFailure and
	// Failure, and is at its end then.
	WalkPart next(size_t count, const Cancellation &cancellation);

private:
	struct Directory {
		struct sqfs_inode inode;
		std::string path;
		uint64_t cookie;
	};

	void add(WalkPart &part, std::string path, const struct sqfs_entry *found);
	uint32_t attributes_of(WalkPart &part, const ImageEntry &entry);
	void charge(size_t bytes, const std::string &path);

	std::shared_ptr<Image> image_;
	struct sqfs_census census_ = {};
	std::vector<Directory> open_; // a stack of its own: nothing recurses on the image's data
	bool begun_ = false;
	uint64_t left_; // bytes that entries may still take
	std::unordered_map<uint32_t, uint32_t> sets_; // xattr id → index of what was handed out
};

} // namespace native

#endif
