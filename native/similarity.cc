#include "similarity.h"

#include <algorithm>
#include <array>
#include <memory>
#include <queue>
#include <tuple>
#include <utility>

#include "duplicates.h"
#include "pipeline.h"
#include "pool.h"
#include "source.h"

namespace native
{
namespace
{

constexpr size_t files_of_task = 64;
constexpr uint32_t bytes_of_task = 1 << 20;
// One substring of as many is taken, and of fewer where that would be too many of all files together.
constexpr uint32_t sampling = 64;
// Each takes about 30 bytes of memory until the order is found.
constexpr uint64_t most_of_all = 1 << 23;
// As many of a file, those of the lowest hashes: enough of the largest end of the usual block.
constexpr size_t most_samples = 2048;
// A file has this many times its share at most, and a few: contents may be made to be sampled everywhere.
constexpr size_t most_shares = 2, always = 8;
// A substring that many files have is asked for the next of them alone.
constexpr size_t most_sharing = 64;

// A rule of our own: libc++ has the usual one for numbers compiled already, which is not among what is linked.
constexpr auto ascending = [](auto a, auto b) { return a < b; };

// A random number for each byte: splitmix64 of it, the upper half.
constexpr std::array<uint32_t, 256> gear = [] {
	std::array<uint32_t, 256> made{};
	for (size_t i = 0; i < made.size(); i++) {
		uint64_t x = (i + 1) * 0x9e37'79b9'7f4a'7c15;
		x = (x ^ (x >> 30)) * 0xbf58'476d'1ce4'e5b9;
		x = (x ^ (x >> 27)) * 0x94d0'49bb'1331'11eb;
		made[i] = static_cast<uint32_t>((x ^ (x >> 31)) >> 32);
	}
	return made;
}();

// Of one substring of `rate`; sorted, each once.
void sample(const uint8_t *data, size_t size, uint32_t rate, std::vector<uint32_t> &samples)
{
	// Two bits a step: what 16 bytes ago came in has left at the upper end.
	constexpr size_t window = 16;
	samples.clear();
	uint32_t hash = 0;
	for (size_t i = 0; i < size; i++) {
		hash = (hash << 2) + gear[data[i]];
		uint32_t mixed = (hash ^ (hash >> 15)) * 0x9e37'79b1;
		if (i + 1 >= window && (mixed >> 8) % rate == 0)
			samples.push_back(mixed);
	}
	std::sort(samples.begin(), samples.end(), ascending);
	samples.erase(std::unique(samples.begin(), samples.end()), samples.end());
	size_t most = std::min(most_samples, most_shares * size / rate + always);
	if (samples.size() > most)
		samples.resize(most);
}

class SampleTask : public Task
{
public:
	struct One {
		uint32_t file;
		uint64_t hash = 0; // of the end
		size_t samples =
			0; // how many of `samples` are its own, behind those of the earlier ones
	};

	SampleTask(const WriteJob &job, uint32_t rate) : job_(job), rate_(rate)
	{
	}
	void run(Worker &worker) override
	{
		std::vector<uint32_t> own;
		for (One &one : files) {
			const FileSpec &spec = job_.files[one.file];
			uint32_t size = job_.end_size(spec.size);
			worker.cancellation.check();
			uint8_t *bytes = worker.input.data();
			Source source(spec);
			source.read(spec.size - size, bytes, size);
			source.check_unchanged();
			one.hash = content_hash(bytes, size);
			sample(bytes, size, rate_, own);
			one.samples = own.size();
			samples.insert(samples.end(), own.begin(), own.end());
		}
	}

	std::vector<One> files;
	std::vector<uint32_t> samples;

private:
	const WriteJob &job_;
	const uint32_t rate_;
};

class Ordering
{
public:
	Ordering(const WriteJob &job, const Cancellation &cancellation)
		: job_(job), cancellation_(cancellation), count_(job.files.size())
	{
	}
	std::vector<uint32_t> run();

private:
	struct Sharing {
		uint32_t sample, file;
	};
	struct Candidate {
		uint32_t shared, file;
		bool operator<(const Candidate &other) const
		{
			return shared != other.shared ? shared < other.shared : file > other.file;
		}
	};

	uint32_t rate() const;
	void read();
	void find_twins(const std::vector<uint64_t> &hashes);
	void index(const std::vector<Sharing> &sharing);
	void order(uint8_t compression);
	void place(uint32_t file);
	void begin_fragment();
	void count(uint32_t sample);
	const FileSpec &spec(uint32_t file) const
	{
		return job_.files[file];
	}
	uint32_t size(uint32_t file) const
	{
		return job_.end_size(spec(file).size);
	}

	const WriteJob &job_;
	const Cancellation &cancellation_;
	const size_t count_;
	std::vector<uint32_t> order_;
	std::vector<bool> placed_;
	// Files that seem to hold what an earlier one does take no room: each leads to the next.
	std::vector<uint32_t> twin_;
	std::vector<bool> is_twin_;

	// Samples that several files share, by numbers of their own: those of file f are
	// samples_[first_sample_[f] .. first_sample_[f + 1]), and sample s is of the files
	// sharing_[first_sharing_[s] .. first_sharing_[s + 1]).
	std::vector<uint32_t> first_sample_, samples_, first_sharing_, sharing_;
	// By sample: where in sharing_ the first one is that may have no place yet.
	std::vector<uint32_t> unplaced_;

	// Of the fragment that is being filled.
	uint8_t compression_ = 0;
	uint32_t filled_ = 0;
	uint32_t fragment_ = 0;
	std::vector<uint32_t> sample_in_; // by sample: the last fragment that it was in
	std::vector<uint32_t> counted_in_, shared_; // by file: samples shared with that fragment
	std::priority_queue<Candidate> candidates_;
};

std::vector<uint32_t> Ordering::run()
{
	for (uint32_t i = 0; i < job_.ahead; i++)
		order_.push_back(i);
	placed_.resize(count_);
	read();
	counted_in_.resize(count_);
	shared_.resize(count_);
	// Each way to compress has fragments of its own, and an end may have another than the rest of its file.
	for (size_t i = 0; i < job_.compressions.size(); i++)
		order(static_cast<uint8_t>(i));
	return std::move(order_);
}

uint32_t Ordering::rate() const
{
	uint64_t bytes = 0;
	for (uint32_t file = 0; file < count_; file++)
		bytes += size(file);
	return std::max(sampling, static_cast<uint32_t>(bytes / most_of_all));
}

void Ordering::read()
{
	const uint32_t one_of = rate();
	std::vector<std::shared_ptr<Task>> tasks;
	std::vector<std::shared_ptr<SampleTask>> samplings;
	uint32_t bytes = bytes_of_task;
	for (uint32_t file = 0; file < count_; file++) {
		if (size(file) == 0)
			continue;
		if (bytes >= bytes_of_task || samplings.back()->files.size() == files_of_task) {
			samplings.push_back(std::make_shared<SampleTask>(job_, one_of));
			tasks.push_back(samplings.back());
			bytes = 0;
		}
		samplings.back()->files.push_back({ file });
		bytes += size(file);
	}
	Pool(job_.threads, job_.compressions, job_.block_size, cancellation_).run_all(tasks);
	tasks.clear();

	std::vector<uint64_t> hashes(count_);
	std::vector<Sharing> sharing;
	size_t samples = 0;
	for (const auto &task : samplings)
		samples += task->samples.size();
	sharing.reserve(samples);
	for (std::shared_ptr<SampleTask> &task : samplings) {
		auto next = task->samples.begin();
		for (const SampleTask::One &one : task->files) {
			hashes[one.file] = one.hash;
			for (size_t i = 0; i < one.samples; i++)
				sharing.push_back({ *next++, one.file });
		}
		task.reset();
	}
	find_twins(hashes);
	index(sharing);
}

void Ordering::find_twins(const std::vector<uint64_t> &hashes)
{
	auto same = [&](uint32_t a, uint32_t b) {
		return hashes[a] == hashes[b] && spec(a).size == spec(b).size &&
		       spec(a).compression == spec(b).compression;
	};
	std::vector<uint32_t> files;
	for (uint32_t file = 0; file < count_; file++) {
		if (size(file) > 0)
			files.push_back(file);
	}
	std::sort(files.begin(), files.end(), [&](uint32_t a, uint32_t b) {
		auto key = [&](uint32_t file) {
			return std::make_tuple(hashes[file], spec(file).size,
					       spec(file).compression, file);
		};
		return key(a) < key(b);
	});
	twin_.assign(count_, none);
	is_twin_.resize(count_);
	for (size_t i = 1; i < files.size(); i++) {
		if (!same(files[i - 1], files[i]))
			continue;
		twin_[files[i - 1]] = files[i];
		is_twin_[files[i]] = true;
	}
}

// Leaves out samples of one file alone, and files that stand beside their twin.
void Ordering::index(const std::vector<Sharing> &found)
{
	std::vector<uint64_t> keys;
	for (const Sharing &one : found) {
		if (!is_twin_[one.file])
			keys.push_back(uint64_t(one.sample) << 32 | one.file);
	}
	std::sort(keys.begin(), keys.end(), ascending);
	std::vector<uint32_t> per_file(count_ + 1);
	size_t kept = 0;
	for (size_t begin = 0, end; begin < keys.size(); begin = end) {
		for (end = begin + 1; end < keys.size(); end++) {
			if (keys[end] >> 32 != keys[begin] >> 32)
				break;
		}
		if (end - begin < 2)
			continue;
		first_sharing_.push_back(static_cast<uint32_t>(kept));
		for (size_t i = begin; i < end; i++, kept++) {
			sharing_.push_back(static_cast<uint32_t>(keys[i]));
			per_file[sharing_.back() + 1]++;
		}
	}
	first_sharing_.push_back(static_cast<uint32_t>(kept));
	for (size_t i = 1; i < per_file.size(); i++)
		per_file[i] += per_file[i - 1];
	first_sample_ = per_file;
	samples_.resize(kept);
	for (uint32_t s = 0; s + 1 < first_sharing_.size(); s++) {
		for (uint32_t i = first_sharing_[s]; i < first_sharing_[s + 1]; i++)
			samples_[per_file[sharing_[i]]++] = s;
	}
	unplaced_ = first_sharing_;
	sample_in_.resize(first_sharing_.size());
}

void Ordering::order(uint8_t compression)
{
	compression_ = compression;
	begin_fragment();
	auto may_be_next = [&](uint32_t file) {
		return !placed_[file] && !is_twin_[file] &&
		       spec(file).end_compression == compression;
	};
	// What stays ahead leaves a fragment that has room.
	for (uint32_t file = 0; file < job_.ahead; file++) {
		if (may_be_next(file))
			place(file);
	}
	for (uint32_t next = job_.ahead; next < count_;) {
		if (!candidates_.empty()) {
			auto [shared, file] = candidates_.top();
			candidates_.pop();
			bool is_current = !placed_[file] && shared_[file] == shared;
			if (is_current && filled_ + size(file) <= job_.block_size)
				place(file);
			continue;
		}
		if (may_be_next(next))
			place(next);
		else
			next++;
	}
}

void Ordering::place(uint32_t file)
{
	cancellation_.check();
	for (uint32_t twin = file; twin != none; twin = twin_[twin]) {
		placed_[twin] = true;
		if (twin >= job_.ahead)
			order_.push_back(twin);
	}
	if (filled_ + size(file) > job_.block_size)
		begin_fragment();
	filled_ += size(file);
	for (uint32_t i = first_sample_[file]; i < first_sample_[file + 1]; i++)
		count(samples_[i]);
}

void Ordering::begin_fragment()
{
	filled_ = 0;
	fragment_++;
	candidates_ = {};
}

// Whoever has the sample has one more in common with the fragment.
void Ordering::count(uint32_t sample)
{
	if (std::exchange(sample_in_[sample], fragment_) == fragment_)
		return;
	uint32_t &first = unplaced_[sample];
	uint32_t end = first_sharing_[sample + 1];
	while (first < end && placed_[sharing_[first]])
		first++;
	size_t counted = 0;
	for (uint32_t i = first; i < end && counted < most_sharing; i++) {
		uint32_t file = sharing_[i];
		if (placed_[file] || spec(file).end_compression != compression_)
			continue;
		if (std::exchange(counted_in_[file], fragment_) != fragment_)
			shared_[file] = 0;
		candidates_.push({ ++shared_[file], file });
		counted++;
	}
}

} // namespace

std::vector<uint32_t> similar_order(const WriteJob &job, const Cancellation &cancellation)
{
	return Ordering(job, cancellation).run();
}

} // namespace native
