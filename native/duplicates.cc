#include "duplicates.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <memory>
#include <tuple>
#include <utility>

#define XXH_NAMESPACE ZSTD_ // as zstd compiles it
#include <common/xxhash.h>

#include "pipeline.h"

namespace native
{
namespace
{

constexpr size_t chunk_size = 1 << 18;

class HashTask : public Task
{
public:
	HashTask(const FileSpec &spec, uint32_t block_size) : spec_(spec), block_size_(block_size)
	{
	}
	void run(Worker &worker) override
	{
		Source source(spec_);
		std::vector<uint8_t> block(block_size_);
		std::vector<uint64_t> hashes;
		for (uint64_t at = 0; at < spec_.size;) {
			size_t size = std::min<uint64_t>(block_size_, spec_.size - at);
			worker.cancellation.check();
			source.read(at, block.data(), size);
			hashes.push_back(content_hash(block.data(), size));
			at += size;
		}
		source.check_unchanged();
		hash = content_hash(hashes);
	}
	uint64_t hash = 0;

private:
	const FileSpec &spec_;
	const uint32_t block_size_;
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

uint64_t content_hash(const std::vector<uint64_t> &hashes)
{
	return XXH64(hashes.data(), hashes.size() * sizeof(uint64_t), 0);
}

std::vector<uint32_t> find_duplicates(const WriteJob &job, const KnownFiles &known, Pool &pool)
{
	const std::vector<FileSpec> &files = job.files;
	std::map<std::pair<uint64_t, uint8_t>, std::vector<uint32_t>> by_size;
	for (uint32_t i = 0; i < files.size(); i++) {
		if (job.block_count(files[i].size) > 0)
			by_size[{ files[i].size, files[i].compression }].push_back(i);
	}

	std::vector<std::shared_ptr<Task>> tasks;
	struct Hashed {
		uint32_t file;
		const HashTask *task; // null: its hash is known
	};
	std::vector<Hashed> hashed;
	for (const auto &[size, group] : by_size) {
		if (group.size() < 2)
			continue;
		for (uint32_t i : group) {
			const HashTask *reading = nullptr;
			if (!known.knows(i)) {
				auto task = std::make_shared<HashTask>(files[i], job.block_size);
				reading = task.get();
				tasks.push_back(std::move(task));
			}
			hashed.push_back({ i, reading });
		}
	}
	pool.run_all(tasks);

	// Each group is in file order, so the first with a hash is the first of its contents.
	std::vector<uint32_t> original(files.size(), no_duplicate);
	std::map<std::tuple<uint64_t, uint8_t, uint64_t>, uint32_t> first;
	std::vector<std::pair<uint32_t, uint32_t>> candidates;
	std::vector<std::shared_ptr<Task>> comparisons;
	for (const Hashed &one : hashed) {
		uint32_t i = one.file;
		uint64_t hash = one.task ? one.task->hash : known.row(i).hash;
		auto [found, is_new] =
			first.try_emplace({ files[i].size, files[i].compression, hash }, i);
		if (is_new)
			continue;
		if (known.same(i, found->second)) {
			original[i] = found->second;
			continue;
		}
		candidates.emplace_back(i, found->second);
		comparisons.push_back(
			std::make_shared<CompareTask>(files[i], files[found->second]));
	}
	pool.run_all(comparisons);

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
	if (spec.in_memory())
		return memcmp(spec.given->memory.data(), data, size) == 0;
	Source source(spec);
	std::vector<uint8_t> bytes(size);
	source.read(0, bytes.data(), size);
	source.check_unchanged();
	return memcmp(bytes.data(), data, size) == 0;
}

bool same_contents(const FileSpec &a, const FileSpec &b)
{
	if (a.size != b.size)
		return false;
	Source source(a);
	std::vector<uint8_t> bytes(a.size);
	source.read(0, bytes.data(), bytes.size());
	source.check_unchanged();
	return has_contents(b, bytes.data(), bytes.size());
}

} // namespace native
