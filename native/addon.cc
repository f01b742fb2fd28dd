// What JavaScript sees. Arguments are checked in builder/native/addon.ts and copied here into
// structs that the threads own; nothing below this file knows about N-API.

#include <napi.h>

#include "bindings.h"

namespace
{

Napi::Object init(Napi::Env env, Napi::Object exports)
{
	native::export_cancellation(env, exports);
	native::export_early(env, exports);
	native::export_image(env, exports);
	native::export_lock(env, exports);
	native::export_mount(env, exports);
	native::export_scan(env, exports);
	native::export_stream(env, exports);
	native::export_write(env, exports);
	return exports;
}

} // namespace

NODE_API_MODULE(fuselage, init)
