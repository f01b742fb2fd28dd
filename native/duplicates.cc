#include "duplicates.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <memory>
#include <utility>

#define XXH_NAMESPACE ZSTD_ // as zstd compiles it
#define XXH_STATIC_LINKING_ONLY // for a state on the stack
#include <common/xxhash.h>

namespace native
{
namespace
{

constexpr size_t chunk_size = 1 << 18;

class HashTask : public Task
{
public:
	explicit HashTask(const FileSpec &spec) : spec_(spec)
	{
	}
	void run(Worker &worker) override
	{
		Source source(spec_);
		std::vector<uint8_t> chunk(chunk_size);
		XXH64_state_t state;
		XXH64_reset(&state, 0);
		for (uint64_t at = 0; at < spec_.size;) {
			size_t size = std::min<uint64_t>(chunk_size, spec_.size - at);
			worker.cancellation.check();
			source.read(at, chunk.data(), size);
			XXH64_update(&state, chunk.data(), size);
			at += size;
		}
		source.check_unchanged();
		hash = XXH64_digest(&state);
	}
	uint64_t hash = 0;

private:
	const FileSpec &spec_;
};

class CompareTask : public Task
{
public:
	CompareTask(const FileSpec &a, const FileSpec &b) : a_(a), b_(b)
	{
	}
	void run(Worker &worker) override
	{
		Source a(a_), b(b_);
		std::vector<uint8_t> from_a(chunk_size), from_b(chunk_size);
		equal = true;
		for (uint64_t at = 0; equal && at < a_.size;) {
			size_t size = std::min<uint64_t>(chunk_size, a_.size - at);
			worker.cancellation.check();
			a.read(at, from_a.data(), size);
			b.read(at, from_b.data(), size);
			equal = memcmp(from_a.data(), from_b.data(), size) == 0;
			at += size;
		}
		a.check_unchanged();
		b.check_unchanged();
	}
	bool equal = false;

private:
	const FileSpec &a_, &b_;
};

} // namespace

uint64_t content_hash(const uint8_t *data, size_t size)
{
	return XXH64(data, size, 0);
}

std::vector<uint32_t> find_duplicates(const std::vector<FileSpec> &files, uint64_t min_size,
				      Pool &pool)
{
	std::map<uint64_t, std::vector<uint32_t>> by_size;
	for (uint32_t i = 0; i < files.size(); i++) {
		if (files[i].size >= min_size)
			by_size[files[i].size].push_back(i);
	}

	std::vector<std::shared_ptr<Task>> tasks;
	std::vector<uint32_t> hashed;
	for (const auto &[size, group] : by_size) {
		if (group.size() < 2)
			continue;
		for (uint32_t i : group) {
			hashed.push_back(i);
			tasks.push_back(std::make_shared<HashTask>(files[i]));
		}
	}
	pool.run_all(tasks);

	// Each group is in file order, so the first with a hash is the first of its contents.
	std::map<std::pair<uint64_t, uint64_t>, uint32_t> first;
	std::vector<std::pair<uint32_t, uint32_t>> candidates;
	std::vector<std::shared_ptr<Task>> comparisons;
	for (size_t k = 0; k < hashed.size(); k++) {
		uint32_t i = hashed[k];
		uint64_t hash = static_cast<const HashTask &>(*tasks[k]).hash;
		auto [found, is_new] = first.try_emplace({ files[i].size, hash }, i);
		if (is_new)
			continue;
		candidates.emplace_back(i, found->second);
		comparisons.push_back(
			std::make_shared<CompareTask>(files[i], files[found->second]));
	}
	pool.run_all(comparisons);

	std::vector<uint32_t> original(files.size(), no_duplicate);
	for (size_t k = 0; k < candidates.size(); k++) {
		if (static_cast<const CompareTask &>(*comparisons[k]).equal)
			original[candidates[k].first] = candidates[k].second;
	}
	return original;
}

bool has_contents(const FileSpec &spec, const uint8_t *data, size_t size)
{
	if (spec.size != size)
		return false;
	if (spec.in_memory)
		return memcmp(spec.memory.data(), data, size) == 0;
	Source source(spec);
	std::vector<uint8_t> bytes(size);
	source.read(0, bytes.data(), size);
	source.check_unchanged();
	return memcmp(bytes.data(), data, size) == 0;
}

} // namespace native
