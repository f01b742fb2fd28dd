// Asking jobs on other threads to stop: one by its own handle, or all of them when the process ends.
#ifndef NATIVE_CANCELLATION_H
#define NATIVE_CANCELLATION_H

#include <atomic>
#include <chrono>
#include <csignal>

namespace native
{

// May be asked and set by any thread.
class Cancellation
{
public:
	Cancellation();
	~Cancellation();
	Cancellation(const Cancellation &) = delete;
	Cancellation &operator=(const Cancellation &) = delete;

	void cancel()
	{
		flag_ = 1;
	}
	bool cancelled() const
	{
		return flag_ != 0;
	}
	// Throws Failure of kind `aborted` when it is cancelled.
	void check() const;
	// For C, which looks at it and nothing else.
	const volatile std::sig_atomic_t *flag() const;

	// A job is at work for as long as it holds one of these. Throws as `check` does.
	class Work
	{
	public:
		explicit Work(const Cancellation &cancellation);
		~Work();
		Work(const Work &) = delete;
		Work &operator=(const Work &) = delete;
	};

	// Cancels all that there are and ever will be. Returns true when no job is at work any
	// more, false when one still is after `patience`: a system call may not come back.
	static bool cancel_all(std::chrono::milliseconds patience);

private:
	std::atomic<std::sig_atomic_t> flag_{ 0 };
};

} // namespace native

#endif
