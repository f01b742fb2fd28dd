#include "spec_binding.h"

#include <string>
#include <utility>

#include "bindings.h"

namespace native
{
namespace
{

Codec codec_of(Napi::Value value)
{
	static const std::pair<const char *, Codec> codecs[] = {
		{ "none", Codec::none }, { "gzip", Codec::gzip }, { "lz4", Codec::lz4 },
		{ "xz", Codec::xz },	 { "zstd", Codec::zstd },
	};

	std::string name = bytes_of(value);
	for (auto [known, codec] : codecs)
		if (name == known)
			return codec;
	throw Napi::Error::New(value.Env(), "there is no codec " + name);
}

} // namespace

uint64_t number_from(Napi::Object object, const char *key)
{
	return static_cast<uint64_t>(object.Get(key).As<Napi::Number>().Int64Value());
}

Compression compression_from(Napi::Object from)
{
	Compression compression;
	compression.codec = codec_of(from.Get("codec"));
	compression.level = static_cast<int>(number_from(from, "level"));
	compression.variants = static_cast<uint32_t>(number_from(from, "variants"));
	compression.dictionary = static_cast<uint32_t>(number_from(from, "dictionary"));
	compression.probes = from.Get("probes").ToBoolean();
	compression.tag = static_cast<uint8_t>(number_from(from, "tag"));
	return compression;
}

StoreSpec store_from(Napi::Object from)
{
	StoreSpec store;
	store.key = bytes_of(from.Get("key"));
	store.make = bytes_of(from.Get("make"));
	store.limit = number_from(from, "limit");
	auto kept = from.Get("kept").As<Napi::Array>();
	for (uint32_t i = 0; i < kept.Length(); i++) {
		auto file = kept.Get(i).As<Napi::Object>();
		store.kept.push_back(
			{ bytes_of(file.Get("path")), file.Get("folded").As<Napi::Boolean>() });
	}
	return store;
}

} // namespace native
