#include "bindings.h"

#include <cstring>

namespace native
{
namespace
{

const char *class_name(int error)
{
	if (error == 0)
		return "";
	switch (sqfs_error_class(error)) {
	case SQFS_CLASS_UNREADABLE:
		return "unreadable";
	case SQFS_CLASS_TRUNCATED:
		return "truncated";
	case SQFS_CLASS_MISSING:
		return "missing";
	case SQFS_CLASS_UNSUPPORTED:
		return "unsupported";
	case SQFS_CLASS_MEMORY:
		return "memory";
	case SQFS_CLASS_CORRUPT:
		break;
	}
	return "corrupt";
}

} // namespace

Napi::String byte_string(Napi::Env env, const std::string &bytes)
{
	napi_value value;
	napi_create_string_latin1(env, bytes.data(), bytes.size(), &value);
	return Napi::String(env, value);
}

std::string bytes_of(Napi::Value value)
{
	size_t size = 0;
	napi_get_value_string_latin1(value.Env(), value, nullptr, 0, &size);
	std::string bytes(size + 1, '\0');
	napi_get_value_string_latin1(value.Env(), value, bytes.data(), bytes.size(), &size);
	bytes.resize(size);
	return bytes;
}

Napi::Error error_from(Napi::Env env, const Failure &failure)
{
	std::string message = failure.what;
	if (failure.error != 0)
		message += std::string(": ") + strerror(failure.error);
	Napi::Error error = Napi::Error::New(env, message);
	error.Set("kind", Napi::String::New(env, failure_names[static_cast<size_t>(failure.kind)]));
	error.Set("errno", Napi::Number::New(env, failure.error));
	error.Set("step", Napi::String::New(env, failure.what));
	error.Set("path", byte_string(env, failure.path));
	return error;
}

Napi::Error error_from(Napi::Env env, const ImageFailure &failure)
{
	Napi::Error error = Napi::Error::New(env, failure.error ? sqfs_strerror(failure.error) :
								  strerror(failure.system_error));
	error.Set("imageError", Napi::String::New(env, class_name(failure.error)));
	error.Set("errno", Napi::Number::New(env, failure.system_error));
	error.Set("fault", byte_string(env, failure.fault));
	error.Set("path", byte_string(env, failure.path));
	return error;
}

} // namespace native
