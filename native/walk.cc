#include "walk.h"

#include <utility>

namespace native
{
namespace
{

// What a list may take: far more than tools put into as many bytes of tables.
constexpr uint64_t least_bytes = 16 << 20, times_image = 64;

struct Collecting {
	Attributes attributes;
	size_t bytes = 0;
	uint64_t limit;
};

int collect(void *context, const char *name, const void *value, size_t size)
{
	auto *collecting = static_cast<Collecting *>(context);
	std::string key(name);
	collecting->bytes += sizeof collecting->attributes[0] + key.size() + size;
	if (collecting->bytes > collecting->limit)
		return 1;
	collecting->attributes.emplace_back(std::move(key),
					    std::string(static_cast<const char *>(value), size));
	return 0;
}

} // namespace

Walk::Walk(std::shared_ptr<Image> image)
	: image_(std::move(image)), left_(least_bytes + times_image * image_->super().bytes_used)
{
}

Walk::~Walk()
{
	sqfs_census_free(&census_);
}

void Walk::charge(size_t bytes, const std::string &path)
{
	if (bytes > left_)
		throw ImageFailure{ SQFS_ERANGE, 0,
				    "its entries take more than " + std::to_string(times_image) +
					    " times its size",
				    path };
	left_ -= bytes;
}

uint32_t Walk::attributes_of(WalkPart &part, const ImageEntry &entry)
{
	if (entry.inode.xattr == SQFS_NO_ENTRY)
		return no_attributes;
	auto [known, is_new] =
		sets_.try_emplace(entry.inode.xattr, static_cast<uint32_t>(sets_.size()));
	if (!is_new)
		return known->second;
	std::vector<char> value(SQFS_XATTR_MAX);
	Collecting collecting{ {}, 0, left_ };
	image_->checked(sqfs_each_xattr(image_->reader(), &entry.inode, value.data(), collect,
					&collecting),
			entry.path);
	charge(collecting.bytes, entry.path);
	part.attributes.push_back(std::move(collecting.attributes));
	return known->second;
}

void Walk::add(WalkPart &part, std::string path, const struct sqfs_entry *found)
{
	struct sqfs_reader *reader = image_->reader();
	struct inode_map_entry *place;
	ImageEntry entry{ std::move(path), {}, {}, no_attributes };
	uint64_t ref = found ? found->ref : image_->super().root_ref;
	image_->checked(sqfs_inode_read(reader, ref, &entry.inode), entry.path);
	image_->checked(sqfs_census_add(&census_, reader, found, &entry.inode, &place), entry.path);
	if (entry.inode.type == SQFS_SYMLINK) {
		std::string target(entry.inode.size + 1, '\0');
		int length = image_->checked(sqfs_readlink(reader, &entry.inode, target.data(),
							   target.size()),
					     entry.path);
		target.resize(static_cast<size_t>(length));
		entry.target = std::move(target);
	}
	charge(sizeof entry + entry.path.size() + entry.target.size(), entry.path);
	entry.attributes = attributes_of(part, entry);
	if (entry.inode.type == SQFS_DIR)
		open_.push_back({ entry.inode, entry.path, 0 });
	part.entries.push_back(std::move(entry));
}

WalkPart Walk::next(size_t count, const Cancellation &cancellation)
{
	auto held = image_->lock();
	WalkPart part;
	if (!std::exchange(begun_, true)) {
		add(part, "", nullptr);
		if (open_.empty())
			throw ImageFailure{ SQFS_ENOTDIR, 0, "the root is not a directory", "" };
	}
	try {
		while (!open_.empty() && part.entries.size() < count) {
			cancellation.check();
			Directory &directory = open_.back();
			struct sqfs_entry found;
			int more = image_->checked(sqfs_dir_next(image_->reader(), &directory.inode,
								 directory.cookie, &found),
						   directory.path);
			if (!more) {
				open_.pop_back();
				continue;
			}
			directory.cookie = found.next;
			std::string path = directory.path;
			if (!path.empty())
				path += '/';
			path.append(found.name, found.name_len);
			add(part, std::move(path), &found);
		}
	} catch (...) {
		open_.clear();
		throw;
	}
	return part;
}

} // namespace native
