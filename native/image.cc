#include "image.h"

#include <cerrno>
#include <cstring>
#include <unordered_set>

#include <fcntl.h>
#include <unistd.h>

namespace native
{
namespace
{

constexpr size_t cache_bytes = 16 << 20;

} // namespace

Image::Image(int fd, uint64_t offset)
{
	char fault[SQFS_FAULT_MAX] = "";
	int error = sqfs_open(&fs_, fd, offset, 0, fault);
	if (error)
		throw ImageFailure{ error, errno, fault, "" };
	reader_ = sqfs_reader_new(&fs_, cache_bytes);
	if (!reader_)
		throw ImageFailure{ SQFS_ENOMEM, 0, "", "" };
}

Image::~Image()
{
	sqfs_reader_free(reader_);
}

void Image::fail(int error, const std::string &path)
{
	throw ImageFailure{ error, errno, sqfs_fault(reader_), path };
}

int Image::checked(int64_t result, const std::string &path)
{
	if (result < 0)
		fail(static_cast<int>(result), path);
	return static_cast<int>(result);
}

ImageEntry Image::entry(std::string path, uint64_t ref)
{
	ImageEntry entry{ std::move(path), {}, {}, {} };
	checked(sqfs_inode_read(reader_, ref, &entry.inode), entry.path);
	if (entry.inode.type == SQFS_SYMLINK) {
		std::string target(entry.inode.size + 1, '\0');
		int length =
			checked(sqfs_readlink(reader_, &entry.inode, target.data(), target.size()),
				entry.path);
		target.resize(static_cast<size_t>(length));
		entry.target = std::move(target);
	}
	if (entry.inode.xattr == SQFS_NO_ENTRY)
		return entry;
	int size = checked(sqfs_listxattr(reader_, &entry.inode, nullptr, 0), entry.path);
	std::vector<char> names(static_cast<size_t>(size));
	checked(sqfs_listxattr(reader_, &entry.inode, names.data(), names.size()), entry.path);
	for (const char *name = names.data(); name < names.data() + names.size();
	     name += strlen(name) + 1) {
		int length =
			checked(sqfs_getxattr(reader_, &entry.inode, name, nullptr, 0), entry.path);
		std::string value(static_cast<size_t>(length), '\0');
		checked(sqfs_getxattr(reader_, &entry.inode, name, value.data(), value.size()),
			entry.path);
		entry.xattrs.emplace_back(name, std::move(value));
	}
	return entry;
}

struct Image::Directory {
	struct sqfs_inode inode;
	std::string path;
	uint64_t cookie;
};

// A stack of its own, and every directory once: an image may claim to contain itself.
std::vector<ImageEntry> Image::list()
{
	std::lock_guard lock(mutex_);
	std::vector<ImageEntry> entries;
	std::vector<Directory> open;
	std::unordered_set<uint64_t> seen;
	auto enter = [&](const ImageEntry &entry) {
		if (entry.inode.type != SQFS_DIR)
			return;
		if (!seen.insert(entry.inode.ref).second)
			throw ImageFailure{ SQFS_ELOOP, 0, "a directory stands in the tree twice",
					    entry.path };
		open.push_back({ entry.inode, entry.path, 0 });
	};
	entries.push_back(entry("", fs_.super.root_ref));
	if (entries.back().inode.type != SQFS_DIR)
		throw ImageFailure{ SQFS_ENOTDIR, 0, "the root is not a directory", "" };
	enter(entries.back());
	while (!open.empty()) {
		Directory &directory = open.back();
		struct sqfs_entry found;
		int more =
			checked(sqfs_dir_next(reader_, &directory.inode, directory.cookie, &found),
				directory.path);
		if (!more) {
			open.pop_back();
			continue;
		}
		directory.cookie = found.next;
		std::string path = directory.path;
		if (!path.empty())
			path += '/';
		path.append(found.name, found.name_len);
		entries.push_back(entry(std::move(path), found.ref));
		enter(entries.back());
	}
	return entries;
}

size_t Image::read(uint64_t ref, uint64_t position, void *buffer, size_t size)
{
	std::lock_guard lock(mutex_);
	struct sqfs_inode inode;
	checked(sqfs_inode_read(reader_, ref, &inode), "");
	if (inode.type != SQFS_FILE)
		fail(SQFS_EINODE, "");
	ssize_t length = sqfs_pread(reader_, &inode, buffer, size, position);
	checked(length < 0 ? length : 0, "");
	return static_cast<size_t>(length);
}

struct extract_report Image::extract(const std::string &directory,
				     const struct extract_options &options)
{
	std::lock_guard lock(mutex_);
	int fd = open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		throw ImageFailure{ 0, errno, "", "" };
	auto report = std::make_unique<struct extract_report>();
	int result = extract_tree(reader_, fd, &options, report.get());
	close(fd);
	if (result != 0)
		throw ImageFailure{ report->error, report->system_error,
				    report->error ? sqfs_fault(reader_) : "", report->path };
	return *report;
}

} // namespace native
