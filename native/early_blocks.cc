#include "early_blocks.h"

#include <new>
#include <utility>

#include "duplicates.h"
#include "tasks.h"

namespace native
{
namespace
{

// Of each thread: one that is made, and one that is next when it is done, while the reader fills another.
constexpr size_t waiting_per_thread = 3;

} // namespace

class EarlyBlocks::Making : public BlockTask
{
public:
	Making(EarlyBlocks &all, const uint8_t *data, size_t size)
		: BlockTask({ 0, &*all.store_, nullptr }), all_(all), data_(data, data + size)
	{
	}
	~Making() override
	{
		std::lock_guard lock(all_.mutex_);
		if (--all_.waiting_ == 0)
			all_.none_waits_.notify_all();
	}
	void run(Worker &worker) override
	{
		Cancellation::Work at_work(worker.cancellation);
		if (all_zero(data_.data(), data_.size()) ||
		    !all_.is_first(content_hash(data_.data(), data_.size())))
			return;
		encode(data_.data(), data_.size(), worker);
		std::lock_guard lock(all_.keeping_);
		all_.store_->keep(block);
	}

private:
	EarlyBlocks &all_;
	const std::vector<uint8_t> data_;
};

EarlyBlocks::EarlyBlocks(EarlySpec spec, std::shared_ptr<Cancellation> cancellation)
	: spec_(std::move(spec)),
	  cancellation_(std::move(cancellation)), compressions_{ spec_.compression },
	  store_(spec_.store), pool_(std::make_unique<Pool>(spec_.threads, compressions_,
							    spec_.block_size, *cancellation_))
{
}

void EarlyBlocks::add(const uint8_t *data, size_t size)
{
	{
		std::lock_guard lock(mutex_);
		if (waiting_ >= spec_.threads * waiting_per_thread)
			return;
		waiting_++;
	}
	std::shared_ptr<Making> task;
	try {
		task = std::make_shared<Making>(*this, data, size);
	} catch (const std::bad_alloc &) {
		std::lock_guard lock(mutex_);
		waiting_--;
		return;
	}
	pool_->submit(std::move(task));
}

bool EarlyBlocks::is_first(uint64_t hash)
{
	std::lock_guard lock(mutex_);
	return seen_.insert(hash).second;
}

uint64_t EarlyBlocks::finish()
{
	std::unique_lock lock(mutex_);
	none_waits_.wait(lock, [this] { return waiting_ == 0; });
	lock.unlock();
	pool_.reset();
	if (!store_)
		return 0;
	uint64_t blocks = store_->finish();
	store_.reset(); // nobody holds the file open any longer
	return blocks;
}

} // namespace native
