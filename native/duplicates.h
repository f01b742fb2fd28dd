// Files with the same contents.
#ifndef NATIVE_DUPLICATES_H
#define NATIVE_DUPLICATES_H

#include <cstdint>
#include <vector>

#include "generated/addon.h"
#include "pool.h"
#include "source.h"

namespace native
{

// A file that is the first of its contents.
constexpr uint32_t no_duplicate = none;

uint64_t content_hash(const uint8_t *data, size_t size);

// For each file of at least `min_size` bytes, the first earlier file with the same bytes, or
// no_duplicate. Only files that share their size with another are read. Equal hashes are believed
// only after the bytes were compared. Throws Failure.
std::vector<uint32_t> find_duplicates(const std::vector<FileSpec> &files, uint64_t min_size,
				      Pool &pool);

// Whether the file holds exactly these bytes. Throws Failure.
bool has_contents(const FileSpec &spec, const uint8_t *data, size_t size);

} // namespace native

#endif
