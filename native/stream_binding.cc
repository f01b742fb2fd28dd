// createStreamDecoder(codec) → step(input, last) → { output, read, atEnd, problem }

#include <memory>
#include <utility>
#include <vector>

#include "bindings.h"
#include "stream.h"

namespace native
{
namespace
{

constexpr size_t output_size = 256 << 10;

Napi::Value create_stream_decoder(const Napi::CallbackInfo &info)
{
	struct State {
		std::unique_ptr<StreamDecoder> decoder;
		std::vector<uint8_t> output;
	};
	auto state = std::make_shared<State>();
	state->decoder = StreamDecoder::create(bytes_of(info[0]));
	if (!state->decoder)
		throw Napi::Error::New(info.Env(), "there is no such codec");
	state->output.resize(output_size);
	return Napi::Function::New(
		info.Env(), [state](const Napi::CallbackInfo &call) -> Napi::Value {
			auto bytes = call[0].As<Napi::Uint8Array>();
			StreamDecoder::Step step = state->decoder->step(
				bytes.Data(), bytes.ByteLength(), state->output.data(),
				state->output.size(), call[1].As<Napi::Boolean>());
			Napi::Env env = call.Env();
			Napi::Object object = Napi::Object::New(env);
			object.Set("output", Napi::Buffer<uint8_t>::Copy(env, state->output.data(),
									 step.made));
			object.Set("read", Napi::Number::New(env, static_cast<double>(step.read)));
			object.Set("atEnd", Napi::Boolean::New(env, step.at_end));
			object.Set("problem",
				   Napi::String::New(env, step.problem ? step.problem : ""));
			return object;
		});
}

} // namespace

void export_stream(Napi::Env env, Napi::Object exports)
{
	exports.Set("createStreamDecoder",
		    Napi::Function::New(env, create_stream_decoder, "createStreamDecoder"));
}

} // namespace native
