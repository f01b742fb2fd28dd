// One directory as it is: names, status, targets of links, extended attributes.
#ifndef NATIVE_SCAN_H
#define NATIVE_SCAN_H

#include <string>
#include <utility>
#include <vector>

#include <sys/stat.h>

#include "cancellation.h"
#include "failure.h"

namespace native
{

struct ScannedEntry {
	std::string name; // bytes; empty for the directory itself
	struct stat status = {};
	std::string target; // of a symbolic link, bytes
	std::vector<std::pair<std::string, std::string>> xattrs;
	// What went wrong with this entry alone, so that the caller may leave it out.
	int error = 0; // errno
	std::string step;
};

// The directory itself first, then its entries in the order of the file system. Links are not
// followed, not even at the end of `path`. Throws Failure.
std::vector<ScannedEntry> scan_directory(const std::string &path, bool user_xattrs,
					 const Cancellation &cancellation);

} // namespace native

#endif
