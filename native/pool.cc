#include "pool.h"

#include <exception>
#include <new>
#include <system_error>
#include <utility>

namespace native
{

Compressor &Worker::compressor(uint8_t index)
{
	if (!compressors[index])
		compressors[index] = Compressor::for_contents(compressions[index]);
	return *compressors[index];
}

Pool::Pool(unsigned threads, const std::vector<Compression> &compressions, size_t buffer_size,
	   const Cancellation &cancellation)
	: compressions_(compressions), buffer_size_(buffer_size), cancellation_(cancellation)
{
	for (unsigned i = 0; i < threads; i++) {
		try {
			threads_.emplace_back([this] { work(); });
		} catch (const std::system_error &error) {
			// Fewer threads give the same image; only none at all cannot work.
			if (!threads_.empty())
				return;
			throw Failure{ Failure::Kind::internal, error.code().value(),
				       "starting a thread", "" };
		}
	}
}

Pool::~Pool()
{
	stop();
}

void Pool::stop()
{
	{
		std::lock_guard lock(mutex_);
		stopping_ = true;
		urgent_.clear();
		tasks_.clear();
	}
	work_ready_.notify_all();
	for (std::thread &thread : threads_)
		thread.join();
}

void Pool::submit(std::shared_ptr<Task> task, bool urgent)
{
	{
		std::lock_guard lock(mutex_);
		(urgent ? urgent_ : tasks_).push_back(std::move(task));
	}
	work_ready_.notify_one();
}

bool Pool::done(const Task &task)
{
	std::lock_guard lock(mutex_);
	if (task.done_ && task.failure_)
		throw *task.failure_;
	return task.done_;
}

void Pool::wait(const Task *a, const Task *b)
{
	std::unique_lock lock(mutex_);
	awaited_[0] = a;
	awaited_[1] = b;
	task_ended_.wait(lock, [=] { return (a && a->done_) || (b && b->done_); });
	awaited_[0] = awaited_[1] = nullptr;
}

void Pool::run_all(const std::vector<std::shared_ptr<Task>> &tasks)
{
	for (const auto &task : tasks)
		submit(task);
	for (const auto &task : tasks) {
		wait(task.get(), nullptr);
		done(*task);
	}
}

void Pool::execute(Task &task, Worker &worker)
{
	std::optional<Failure> failure;
	try {
		cancellation_.check();
		if (worker.input.empty()) { // Here, where running out of memory is reported.
			worker.input.resize(buffer_size_);
			worker.output.resize(buffer_size_);
			worker.compressors.resize(compressions_.size());
		}
		task.run(worker);
	} catch (const Failure &thrown) {
		failure = thrown;
	} catch (const std::bad_alloc &) {
		failure = Failure{ Failure::Kind::memory, 0, "compressing a block", "" };
	} catch (const std::exception &error) {
		failure = Failure{ Failure::Kind::internal, 0, error.what(), "" };
	}
	std::lock_guard lock(mutex_);
	task.failure_ = std::move(failure);
	task.done_ = true;
	if (awaited_[0] == &task || awaited_[1] == &task)
		task_ended_.notify_one();
}

void Pool::work()
{
	Worker worker{ compressions_, {}, {}, {}, cancellation_ };
	for (;;) {
		std::shared_ptr<Task> task;
		{
			std::unique_lock lock(mutex_);
			work_ready_.wait(lock, [this] {
				return stopping_ || !urgent_.empty() || !tasks_.empty();
			});
			if (stopping_)
				return;
			auto &queue = urgent_.empty() ? tasks_ : urgent_;
			task = std::move(queue.front());
			queue.pop_front();
		}
		execute(*task, worker);
	}
}

} // namespace native
