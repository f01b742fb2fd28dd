// cancellation() → token; cancel(token); cancelAll(milliseconds) → whether nothing is at work any more

#include "job.h"

namespace native
{
namespace
{

using Token = Napi::External<std::shared_ptr<Cancellation>>;

Napi::Value make(const Napi::CallbackInfo &info)
{
	return Token::New(info.Env(),
			  new std::shared_ptr<Cancellation>(std::make_shared<Cancellation>()),
			  [](Napi::Env, std::shared_ptr<Cancellation> *shared) { delete shared; });
}

Napi::Value cancel(const Napi::CallbackInfo &info)
{
	cancellation_of(info[0])->cancel();
	return info.Env().Undefined();
}

Napi::Value cancel_all(const Napi::CallbackInfo &info)
{
	std::chrono::milliseconds patience(info[0].As<Napi::Number>().Int64Value());
	return Napi::Boolean::New(info.Env(), Cancellation::cancel_all(patience));
}

} // namespace

std::shared_ptr<Cancellation> cancellation_of(Napi::Value token)
{
	return *token.As<Token>().Data();
}

void export_cancellation(Napi::Env env, Napi::Object exports)
{
	exports.Set("cancellation", Napi::Function::New(env, make, "cancellation"));
	exports.Set("cancel", Napi::Function::New(env, cancel, "cancel"));
	exports.Set("cancelAll", Napi::Function::New(env, cancel_all, "cancelAll"));
}

} // namespace native
