// Between JavaScript and the C++ below. Byte strings are latin1 strings on the other side.
#ifndef NATIVE_BINDINGS_H
#define NATIVE_BINDINGS_H

#include <string>

#include <napi.h>

#include "failure.h"
#include "image.h"

namespace native
{

Napi::String byte_string(Napi::Env env, const std::string &bytes);
std::string bytes_of(Napi::Value value);

// An Error with `kind`, `errno`, `step` and `path`, see NativeFailure in builder/native/addon.ts.
Napi::Error error_from(Napi::Env env, const Failure &failure);

// The same as NativeImageFailure there.
Napi::Error error_from(Napi::Env env, const ImageFailure &failure);

void export_cancellation(Napi::Env env, Napi::Object exports);
void export_early(Napi::Env env, Napi::Object exports);
void export_image(Napi::Env env, Napi::Object exports);
void export_lock(Napi::Env env, Napi::Object exports);
void export_mount(Napi::Env env, Napi::Object exports);
void export_scan(Napi::Env env, Napi::Object exports);
void export_stream(Napi::Env env, Napi::Object exports);
void export_write(Napi::Env env, Napi::Object exports);

} // namespace native

#endif
