// What several of the functions that JavaScript sees take in the same way.
#ifndef NATIVE_SPEC_BINDING_H
#define NATIVE_SPEC_BINDING_H

#include <cstdint>

#include <napi.h>

#include "block_store.h"
#include "codec.h"

namespace native
{

uint64_t number_from(Napi::Object object, const char *key);
// NativeCompression and BlockStore of builder/native/addon.ts.
Compression compression_from(Napi::Object from);
StoreSpec store_from(Napi::Object from);

} // namespace native

#endif
