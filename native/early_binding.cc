// earlyBlocks(job, cancellation) → { add(bytes), finish() → promise }

#include <memory>
#include <utility>

#include "early_blocks.h"
#include "job.h"
#include "spec_binding.h"

namespace native
{
namespace
{

EarlySpec spec_from(Napi::Object from)
{
	EarlySpec spec;
	spec.store = store_from(from.Get("store").As<Napi::Object>());
	spec.compression = compression_from(from.Get("compression").As<Napi::Object>());
	spec.block_size = static_cast<uint32_t>(number_from(from, "blockSize"));
	spec.threads = static_cast<unsigned>(number_from(from, "threads"));
	return spec;
}

Napi::Value early_blocks(const Napi::CallbackInfo &info)
{
	auto cancellation = cancellation_of(info[1]);
	std::shared_ptr<EarlyBlocks> blocks;
	try {
		blocks = std::make_shared<EarlyBlocks>(spec_from(info[0].As<Napi::Object>()),
						       cancellation);
	} catch (const Failure &failure) {
		error_from(info.Env(), failure).ThrowAsJavaScriptException();
		return info.Env().Undefined();
	}
	Napi::Object handle = Napi::Object::New(info.Env());
	handle.Set("add", Napi::Function::New(info.Env(), [blocks](const Napi::CallbackInfo &call) {
			   auto bytes = call[0].As<Napi::Uint8Array>();
			   blocks->add(bytes.Data(), bytes.ByteLength());
		   }));
	handle.Set(
		"finish", Napi::Function::New(info.Env(), [blocks, cancellation](
								  const Napi::CallbackInfo &call) {
			return Job<uint64_t>::start(
				call.Env(), cancellation, [blocks] { return blocks->finish(); },
				[](Napi::Env env, const uint64_t &count) -> Napi::Value {
					return Napi::Number::New(env, static_cast<double>(count));
				});
		}));
	return handle;
}

} // namespace

void export_early(Napi::Env env, Napi::Object exports)
{
	exports.Set("earlyBlocks", Napi::Function::New(env, early_blocks, "earlyBlocks"));
}

} // namespace native
