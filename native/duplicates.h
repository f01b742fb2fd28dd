// Files with the same contents.
#ifndef NATIVE_DUPLICATES_H
#define NATIVE_DUPLICATES_H

#include <cstdint>
#include <vector>

#include "generated/addon.h"
#include "file_record.h"
#include "pool.h"
#include "source.h"

namespace native
{

struct WriteJob;

// A file that is the first of its contents.
constexpr uint32_t no_duplicate = none;

uint64_t content_hash(const uint8_t *data, size_t size);
// Of a file that has whole blocks: hashes of these, and of its end where it has one.
uint64_t content_hash(const std::vector<uint64_t> &hashes);

// For each file that has blocks of its own, the first earlier file with the same bytes that is
// compressed in the same way, or no_duplicate. Only files that share their size with another are read,
// and not those of `known`, which has their hashes. Equal hashes are believed only after the bytes were compared, now or for `known`. Throws
// Failure.
std::vector<uint32_t> find_duplicates(const WriteJob &job, const KnownFiles &known, Pool &pool);

// Whether the file holds exactly these bytes. Throws Failure.
bool has_contents(const FileSpec &spec, const uint8_t *data, size_t size);
// Whether two small files do, each of which is read into memory.
bool same_contents(const FileSpec &a, const FileSpec &b);

} // namespace native

#endif
