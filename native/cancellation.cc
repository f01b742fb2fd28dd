#include "cancellation.h"

#include <condition_variable>
#include <mutex>
#include <set>

#include "failure.h"

namespace native
{
namespace
{

// Never destroyed: jobs may outlive the statics of a process that exits.
struct Registry {
	std::mutex mutex;
	std::condition_variable at_rest;
	std::set<Cancellation *> known;
	int at_work = 0;
	bool ending = false;
};

Registry &registry()
{
	static Registry *const one = new Registry;
	return *one;
}

} // namespace

Cancellation::Cancellation()
{
	std::lock_guard lock(registry().mutex);
	registry().known.insert(this);
	if (registry().ending)
		cancel();
}

Cancellation::~Cancellation()
{
	std::lock_guard lock(registry().mutex);
	registry().known.erase(this);
}

void Cancellation::check() const
{
	if (cancelled())
		throw Failure{ Failure::Kind::aborted, 0, "aborted", "" };
}

const volatile std::sig_atomic_t *Cancellation::flag() const
{
	static_assert(sizeof flag_ == sizeof(std::sig_atomic_t));
	static_assert(std::atomic<std::sig_atomic_t>::is_always_lock_free);
	return reinterpret_cast<const volatile std::sig_atomic_t *>(&flag_);
}

// Looking and counting are one step: who sees that nobody is at work knows that nobody will be.
Cancellation::Work::Work(const Cancellation &cancellation)
{
	std::lock_guard lock(registry().mutex);
	cancellation.check();
	registry().at_work++;
}

Cancellation::Work::~Work()
{
	std::lock_guard lock(registry().mutex);
	if (--registry().at_work == 0)
		registry().at_rest.notify_all();
}

bool Cancellation::cancel_all(std::chrono::milliseconds patience)
{
	std::unique_lock lock(registry().mutex);
	registry().ending = true;
	for (Cancellation *one : registry().known)
		one->cancel();
	return registry().at_rest.wait_for(lock, patience, [] { return registry().at_work == 0; });
}

} // namespace native
