#include "image.h"

#include <cerrno>

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

void Image::fail(int error, const std::string &path) const
{
	throw ImageFailure{ error, errno, sqfs_fault(reader_), path };
}

int Image::checked(int64_t result, const std::string &path) const
{
	if (result < 0)
		fail(static_cast<int>(result), path);
	return static_cast<int>(result);
}

size_t Image::read(uint64_t ref, uint64_t position, void *buffer, size_t size)
{
	auto held = lock();
	struct sqfs_inode inode;
	checked(sqfs_inode_read(reader_, ref, &inode), "");
	if (inode.type != SQFS_FILE)
		fail(SQFS_EINODE, "");
	ssize_t length = sqfs_pread(reader_, &inode, buffer, size, position);
	checked(length < 0 ? length : 0, "");
	return static_cast<size_t>(length);
}

struct extract_report Image::extract(const std::string &directory, struct extract_options options,
				     const Cancellation &cancellation)
{
	auto held = lock();
	int fd = open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		throw ImageFailure{ 0, errno, "", "" };
	options.interrupted = cancellation.flag();
	auto report = std::make_unique<struct extract_report>();
	int result = extract_tree(reader_, fd, &options, report.get());
	close(fd);
	cancellation.check();
	if (result != 0)
		throw ImageFailure{ report->error, report->system_error,
				    report->error ? sqfs_fault(reader_) : "", report->path };
	return *report;
}

} // namespace native
