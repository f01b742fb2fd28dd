// An order of files in which those that resemble each other share fragments.
//
// A compressor finds what repeats within one block alone, so what small files have in common is found only
// where they lie in one fragment. Of the end of each file a sample of its substrings is taken: the hashes of
// 16 bytes each that a rule picks by their value, so that the same text gives the same sample wherever it
// stands. A fragment is then filled with whatever shares most of its sample with what is in it already, and a
// new one begins with the first file, in the order that is given, that has no place yet. So files that
// resemble nothing stay in that order.
#ifndef NATIVE_SIMILARITY_H
#define NATIVE_SIMILARITY_H

#include <cstdint>
#include <vector>

#include "cancellation.h"

namespace native
{

struct WriteJob;

// Indexes of WriteJob::files, in the order in which to lay them out; the first `job.ahead` stay where they
// are. Reads the end of each file. The order depends on names and contents alone: not on threads, not on
// what earlier images have left. Throws Failure.
//
// Samples take up to 250 MB of memory, twice that where contents are made to have many, and a file some
// hundred bytes: of more than half a gigabyte of ends fewer substrings are looked at.
std::vector<uint32_t> similar_order(const WriteJob &job, const Cancellation &cancellation);

} // namespace native

#endif
