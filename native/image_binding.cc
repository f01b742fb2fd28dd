// openImage(fd, offset) → { facts, walk(), read(ref, position, bytes, cancellation),
//                           extract(directory, options, cancellation), close() }

#include <cstring>
#include <memory>
#include <new>
#include <utility>

#include "job.h"
#include "walk.h"

namespace native
{
namespace
{

Napi::Object to_js(Napi::Env env, const struct sqfs_super &super)
{
	const char *compression = sqfs_compressor_name(super.compressor);
	Napi::Object facts = Napi::Object::New(env);
	facts.Set("compression", compression ? compression : "unknown");
	facts.Set("blockSize", super.block_size);
	facts.Set("bytes", static_cast<double>(super.bytes_used));
	facts.Set("mtime", super.mtime);
	facts.Set("inodes", super.inode_count);
	facts.Set("fragments", super.fragment_count);
	facts.Set("ids", static_cast<uint32_t>(super.id_count));
	facts.Set("exportable", Napi::Boolean::New(env, (super.flags & SQFS_FLAG_EXPORTABLE) != 0));
	facts.Set("xattrs", Napi::Boolean::New(env, super.xattr_table != SQFS_NO_TABLE));
	return facts;
}

Napi::Object to_js(Napi::Env env, const ImageEntry &entry)
{
	const struct sqfs_inode &inode = entry.inode;
	Napi::Object object = Napi::Object::New(env);
	object.Set("path", byte_string(env, entry.path));
	object.Set("ref", static_cast<double>(inode.ref)); // 48 bits
	object.Set("type", static_cast<uint32_t>(inode.type));
	object.Set("mode", static_cast<uint32_t>(inode.mode & 07777));
	object.Set("uid", inode.uid);
	object.Set("gid", inode.gid);
	// Unsigned, as the kernel reads it.
	object.Set("mtime", static_cast<uint32_t>(inode.mtime));
	object.Set("inode", inode.number);
	object.Set("links", inode.nlink);
	object.Set("size", static_cast<double>(inode.size));
	object.Set("rdev", inode.rdev);
	object.Set("target", byte_string(env, entry.target));
	if (entry.attributes != no_attributes)
		object.Set("xattrs", entry.attributes);
	return object;
}

Napi::Array to_js(Napi::Env env, const Attributes &attributes)
{
	Napi::Array list = Napi::Array::New(env, attributes.size());
	for (uint32_t i = 0; i < attributes.size(); i++) {
		const auto &[name, value] = attributes[i];
		Napi::Object pair = Napi::Object::New(env);
		pair.Set("name", byte_string(env, name));
		pair.Set("value", Napi::Buffer<char>::Copy(env, value.data(), value.size()));
		list.Set(i, pair);
	}
	return list;
}

Napi::Value to_js(Napi::Env env, const WalkPart &part)
{
	Napi::Object object = Napi::Object::New(env);
	Napi::Array entries = Napi::Array::New(env, part.entries.size());
	for (uint32_t i = 0; i < part.entries.size(); i++) {
		Napi::HandleScope scope(env);
		entries.Set(i, to_js(env, part.entries[i]));
	}
	Napi::Array attributes = Napi::Array::New(env, part.attributes.size());
	for (uint32_t i = 0; i < part.attributes.size(); i++) {
		Napi::HandleScope scope(env);
		attributes.Set(i, to_js(env, part.attributes[i]));
	}
	object.Set("entries", entries);
	object.Set("attributes", attributes);
	return object;
}

using SharedImage = std::shared_ptr<std::shared_ptr<Image>>; // emptied by close()

bool closed(Napi::Env env, const SharedImage &image)
{
	if (*image)
		return false;
	Napi::Error::New(env, "the image is closed").ThrowAsJavaScriptException();
	return true;
}

// → next(count, cancellation)
Napi::Value walk(Napi::Env env, const SharedImage &shared)
{
	if (closed(env, shared))
		return env.Undefined();
	auto begun = std::make_shared<Walk>(*shared);
	return Napi::Function::New(env, [begun](const Napi::CallbackInfo &call) {
		auto cancellation = cancellation_of(call[1]);
		size_t count = call[0].As<Napi::Number>().Uint32Value();
		return Job<WalkPart>::start(
			call.Env(), cancellation,
			[begun, count, cancellation] { return begun->next(count, *cancellation); },
			[](Napi::Env to, const WalkPart &part) { return to_js(to, part); });
	});
}

// Into the caller's bytes, which are kept from being collected until they are filled.
Napi::Value read(Napi::Env env, const SharedImage &shared, const Napi::CallbackInfo &call)
{
	if (closed(env, shared))
		return env.Undefined();
	auto ref = static_cast<uint64_t>(call[0].As<Napi::Number>().Int64Value());
	auto position = static_cast<uint64_t>(call[1].As<Napi::Number>().Int64Value());
	auto bytes = call[2].As<Napi::Uint8Array>();
	return Job<size_t>::start(
		env, cancellation_of(call[3]),
		[image = *shared, ref, position, data = bytes.Data(), size = bytes.ByteLength()] {
			return image->read(ref, position, data, size);
		},
		[](Napi::Env to, const size_t &length) -> Napi::Value {
			return Napi::Number::New(to, static_cast<double>(length));
		},
		bytes);
}

// What is extracted: the paths, and all that is in them.
struct Chosen {
	std::vector<std::string> paths;
	static bool wanted(void *context, const char *path)
	{
		for (const std::string &one : static_cast<const Chosen *>(context)->paths)
			if (one.empty() || (strncmp(path, one.c_str(), one.size()) == 0 &&
					    (path[one.size()] == 0 || path[one.size()] == '/')))
				return true;
		return false;
	}
};

Napi::Value extract(Napi::Env env, const SharedImage &shared, const Napi::CallbackInfo &call)
{
	if (closed(env, shared))
		return env.Undefined();
	auto chosen = call[1].As<Napi::Object>();
	struct extract_options options = {};
	options.keep = chosen.Get("keep").As<Napi::Number>().Uint32Value();
	options.xattrs = chosen.Get("xattrs").ToBoolean();
	using Report = struct extract_report;
	auto cancellation = cancellation_of(call[2]);
	auto below = std::make_shared<Chosen>();
	auto paths = chosen.Get("paths").As<Napi::Array>();
	for (uint32_t i = 0; i < paths.Length(); i++)
		below->paths.push_back(bytes_of(paths.Get(i)));
	if (!below->paths.empty()) {
		options.wanted = Chosen::wanted;
		options.wanted_context = below.get();
	}
	return Job<Report>::start(
		env, cancellation,
		[image = *shared, options, below, path = bytes_of(call[0]), cancellation] {
			return image->extract(path, options, *cancellation);
		},
		[](Napi::Env to, const Report &report) -> Napi::Value {
			Napi::Object object = Napi::Object::New(to);
			Napi::Array left_out = Napi::Array::New(to, EXTRACT_COUNTS);
			for (uint32_t kind = 0; kind < EXTRACT_COUNTS; kind++)
				left_out.Set(kind, static_cast<double>(report.left_out[kind]));
			object.Set("entries", static_cast<double>(report.entries));
			object.Set("bytes", static_cast<double>(report.bytes));
			object.Set("leftOut", left_out);
			return object;
		});
}

Napi::Value open_image(const Napi::CallbackInfo &info)
{
	Napi::Env env = info.Env();
	SharedImage shared;
	try {
		int fd = info[0].As<Napi::Number>().Int32Value();
		auto offset = static_cast<uint64_t>(info[1].As<Napi::Number>().Int64Value());
		shared = std::make_shared<std::shared_ptr<Image>>(
			std::make_shared<Image>(fd, offset));
	} catch (const ImageFailure &failure) {
		error_from(env, failure).ThrowAsJavaScriptException();
		return env.Undefined();
	} catch (const std::bad_alloc &) {
		error_from(env, ImageFailure{ SQFS_ENOMEM, 0, "", "" })
			.ThrowAsJavaScriptException();
		return env.Undefined();
	}
	Napi::Object handle = Napi::Object::New(env);
	handle.Set("facts", to_js(env, (*shared)->super()));
	handle.Set("walk", Napi::Function::New(env, [shared](const Napi::CallbackInfo &call) {
			   return walk(call.Env(), shared);
		   }));
	handle.Set("read", Napi::Function::New(env, [shared](const Napi::CallbackInfo &call) {
			   return read(call.Env(), shared, call);
		   }));
	handle.Set("extract", Napi::Function::New(env, [shared](const Napi::CallbackInfo &call) {
			   return extract(call.Env(), shared, call);
		   }));
	handle.Set("close", Napi::Function::New(env, [shared](const Napi::CallbackInfo &) {
			   shared->reset();
		   }));
	return handle;
}

} // namespace

void export_image(Napi::Env env, Napi::Object exports)
{
	exports.Set("openImage", Napi::Function::New(env, open_image, "openImage"));
}

} // namespace native
