// Work on a thread whose result becomes a promise.
#ifndef NATIVE_JOB_H
#define NATIVE_JOB_H

#include <functional>
#include <memory>
#include <new>
#include <optional>
#include <utility>

#include "bindings.h"
#include "cancellation.h"
#include "image.h"

namespace native
{

// What addon().cancellation() hands out.
std::shared_ptr<Cancellation> cancellation_of(Napi::Value token);

// Runs `work` on a thread, then turns its result into JavaScript.
template <class Value> class Job : public Napi::AsyncWorker
{
public:
	using Convert = std::function<Napi::Value(Napi::Env, const Value &)>;

	// Starts. `kept` is what `work` uses of JavaScript's: it is not collected meanwhile.
	static Napi::Value start(Napi::Env env, std::shared_ptr<Cancellation> cancellation,
				 std::function<Value()> work, Convert convert,
				 Napi::Object kept = {})
	{
		auto *job =
			new Job(env, std::move(cancellation), std::move(work), std::move(convert));
		Napi::Promise promise = job->deferred_.Promise();
		if (!kept.IsEmpty())
			job->kept_ = Napi::Persistent(kept);
		job->Queue();
		return promise;
	}

protected:
	void Execute() override
	{
		try {
			Cancellation::Work at_work(*cancellation_);
			value_ = work_();
		} catch (const Failure &failure) {
			failure_ = failure;
		} catch (const ImageFailure &failure) {
			image_failure_ = failure;
		} catch (const std::bad_alloc &) {
			failure_ = Failure{ Failure::Kind::memory, 0, "what was read", "" };
		} catch (const std::exception &error) {
			failure_ = Failure{ Failure::Kind::internal, 0, error.what(), "" };
		}
	}
	void OnOK() override
	{
		work_ = nullptr; // what it held is as much as what it made
		if (failure_)
			deferred_.Reject(error_from(Env(), *failure_).Value());
		else if (image_failure_)
			deferred_.Reject(error_from(Env(), *image_failure_).Value());
		else
			deferred_.Resolve(convert_(Env(), *value_));
	}

private:
	Job(Napi::Env env, std::shared_ptr<Cancellation> cancellation, std::function<Value()> work,
	    Convert convert)
		: Napi::AsyncWorker(env, "fuselage"), deferred_(Napi::Promise::Deferred::New(env)),
		  cancellation_(std::move(cancellation)), work_(std::move(work)),
		  convert_(std::move(convert))
	{
	}

	const Napi::Promise::Deferred deferred_;
	std::shared_ptr<Cancellation> cancellation_;
	std::function<Value()> work_;
	Convert convert_;
	Napi::ObjectReference kept_;
	std::optional<Value> value_;
	std::optional<Failure> failure_;
	std::optional<ImageFailure> image_failure_;
};

} // namespace native

#endif
