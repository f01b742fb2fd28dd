// Worker threads, each with its own compressor and buffers. Tasks finish in any order; who submits
// them waits for the one it needs next, so that the order of results never depends on timing.
#ifndef NATIVE_POOL_H
#define NATIVE_POOL_H

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "cancellation.h"
#include "codec.h"
#include "failure.h"

namespace native
{

// What one thread owns.
struct Worker {
	// By index in WriteJob::compressions. Throws std::bad_alloc.
	Compressor &compressor(uint8_t index);
	const std::vector<Compression> &compressions;
	std::vector<std::unique_ptr<Compressor>> compressors; // null until they are needed
	std::vector<uint8_t> input; // `buffer_size` bytes
	std::vector<uint8_t> output; // as many
	const Cancellation &cancellation; // for what takes long
};

class Task
{
public:
	virtual ~Task() = default;
	virtual void run(Worker &worker) = 0;

private:
	friend class Pool;
	bool done_ = false; // guarded by the pool's mutex
	std::optional<Failure> failure_;
};

class Pool
{
public:
	// Once it is cancelled, tasks that have not started fail instead.
	Pool(unsigned threads, const std::vector<Compression> &compressions, size_t buffer_size,
	     const Cancellation &cancellation);
	// Forgets what has not started, waits for what has.
	~Pool();
	Pool(const Pool &) = delete;
	Pool &operator=(const Pool &) = delete;

	// Urgent tasks go before all others: their result is due earlier than new input.
	void submit(std::shared_ptr<Task> task, bool urgent = false);

	// Whether the task has ended; throws its Failure if it failed.
	bool done(const Task &task);

	// Blocks until one of the two has ended; either may be null.
	void wait(const Task *a, const Task *b);

	// Submits all of them, returns when all have ended; throws the failure of the first that
	// failed, in their order.
	void run_all(const std::vector<std::shared_ptr<Task>> &tasks);

private:
	void work();
	void execute(Task &task, Worker &worker);
	void stop();

	const std::vector<Compression> &compressions_;
	const size_t buffer_size_;
	const Cancellation &cancellation_;
	std::mutex mutex_;
	std::condition_variable work_ready_;
	std::condition_variable task_ended_;
	std::deque<std::shared_ptr<Task>> urgent_;
	std::deque<std::shared_ptr<Task>> tasks_;
	const Task *awaited_[2] = { nullptr, nullptr };
	bool stopping_ = false;
	std::vector<std::thread> threads_;
};

} // namespace native

#endif
