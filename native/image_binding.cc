// openImage(fd, offset) → { facts, list(), read(ref, position, bytes), extract(directory, options), close() }

#include <functional>
#include <memory>
#include <new>
#include <optional>
#include <utility>

#include "bindings.h"
#include "image.h"

namespace native
{
namespace
{

// An Error as NativeImageFailure in builder/native/addon.ts describes it.
Napi::Error error_from(Napi::Env env, const ImageFailure &failure)
{
	Napi::Error error = Napi::Error::New(env, failure.error ? sqfs_strerror(failure.error) :
								  strerror(failure.system_error));
	error.Set("imageError", Napi::Number::New(env, failure.error));
	error.Set("errno", Napi::Number::New(env, failure.system_error));
	error.Set("fault", byte_string(env, failure.fault));
	error.Set("path", byte_string(env, failure.path));
	return error;
}

Napi::Object to_js(Napi::Env env, const struct sqfs_super &super)
{
	constexpr uint16_t exportable = 0x80;
	const char *compression = sqfs_compressor_name(super.compressor);
	Napi::Object facts = Napi::Object::New(env);
	facts.Set("compression", compression ? compression : "unknown");
	facts.Set("blockSize", super.block_size);
	facts.Set("bytes", static_cast<double>(super.bytes_used));
	facts.Set("mtime", super.mtime);
	facts.Set("inodes", super.inode_count);
	facts.Set("fragments", super.fragment_count);
	facts.Set("ids", static_cast<uint32_t>(super.id_count));
	facts.Set("exportable", Napi::Boolean::New(env, (super.flags & exportable) != 0));
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
	Napi::Array xattrs = Napi::Array::New(env, entry.xattrs.size());
	for (uint32_t i = 0; i < entry.xattrs.size(); i++) {
		const auto &[name, value] = entry.xattrs[i];
		Napi::Object pair = Napi::Object::New(env);
		pair.Set("name", byte_string(env, name));
		pair.Set("value", Napi::Buffer<char>::Copy(env, value.data(), value.size()));
		xattrs.Set(i, pair);
	}
	object.Set("xattrs", xattrs);
	return object;
}

// Runs `work` on a thread, then turns its result into JavaScript.
template <class Value> class ImageWorker : public Napi::AsyncWorker
{
public:
	using Convert = Napi::Value (*)(Napi::Env, const Value &);

	ImageWorker(Napi::Env env, std::function<Value()> work, Convert convert)
		: Napi::AsyncWorker(env, "image"), deferred(Napi::Promise::Deferred::New(env)),
		  work_(std::move(work)), convert_(convert)
	{
	}

	const Napi::Promise::Deferred deferred;
	Napi::ObjectReference kept; // what `work` uses of JavaScript's

protected:
	void Execute() override
	{
		try {
			value_ = work_();
		} catch (const ImageFailure &failure) {
			failure_ = failure;
		} catch (const std::bad_alloc &) {
			failure_ = ImageFailure{ SQFS_ENOMEM, 0, "", "" };
		}
	}
	void OnOK() override
	{
		if (failure_)
			deferred.Reject(error_from(Env(), *failure_).Value());
		else
			deferred.Resolve(convert_(Env(), *value_));
	}

private:
	std::function<Value()> work_;
	Convert convert_;
	std::optional<Value> value_;
	std::optional<ImageFailure> failure_;
};

using SharedImage = std::shared_ptr<std::shared_ptr<Image>>; // emptied by close()

bool closed(Napi::Env env, const SharedImage &image)
{
	if (*image)
		return false;
	Napi::Error::New(env, "the image is closed").ThrowAsJavaScriptException();
	return true;
}

Napi::Value list(Napi::Env env, const SharedImage &shared)
{
	if (closed(env, shared))
		return env.Undefined();
	using Entries = std::vector<ImageEntry>;
	auto *worker = new ImageWorker<Entries>(
		env, [image = *shared] { return image->list(); },
		[](Napi::Env to, const Entries &entries) -> Napi::Value {
			Napi::Array array = Napi::Array::New(to, entries.size());
			for (uint32_t i = 0; i < entries.size(); i++) {
				Napi::HandleScope scope(to);
				array.Set(i, to_js(to, entries[i]));
			}
			return array;
		});
	worker->Queue();
	return worker->deferred.Promise();
}

// Into the caller's bytes, which are kept from being collected until they are filled.
Napi::Value read(Napi::Env env, const SharedImage &shared, const Napi::CallbackInfo &call)
{
	if (closed(env, shared))
		return env.Undefined();
	auto ref = static_cast<uint64_t>(call[0].As<Napi::Number>().Int64Value());
	auto position = static_cast<uint64_t>(call[1].As<Napi::Number>().Int64Value());
	auto bytes = call[2].As<Napi::Uint8Array>();
	auto *worker = new ImageWorker<size_t>(
		env,
		[image = *shared, ref, position, data = bytes.Data(), size = bytes.ByteLength()] {
			return image->read(ref, position, data, size);
		},
		[](Napi::Env to, const size_t &length) -> Napi::Value {
			return Napi::Number::New(to, static_cast<double>(length));
		});
	worker->kept = Napi::Persistent(static_cast<Napi::Object>(bytes));
	worker->Queue();
	return worker->deferred.Promise();
}

Napi::Value extract(Napi::Env env, const SharedImage &shared, Napi::Value directory,
		    Napi::Object chosen)
{
	if (closed(env, shared))
		return env.Undefined();
	struct extract_options options = {};
	options.owners = chosen.Get("owners").ToBoolean();
	options.devices = chosen.Get("devices").ToBoolean();
	options.xattrs = chosen.Get("xattrs").ToBoolean();
	using Report = struct extract_report;
	auto *worker = new ImageWorker<Report>(
		env,
		[image = *shared, options, path = bytes_of(directory)] {
			return image->extract(path, options);
		},
		[](Napi::Env to, const Report &report) -> Napi::Value {
			Napi::Object object = Napi::Object::New(to);
			object.Set("entries", static_cast<double>(report.entries));
			object.Set("bytes", static_cast<double>(report.bytes));
			object.Set("skippedDevices", static_cast<double>(report.skipped_devices));
			object.Set("skippedXattrs", static_cast<double>(report.skipped_xattrs));
			return object;
		});
	worker->Queue();
	return worker->deferred.Promise();
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
	handle.Set("list", Napi::Function::New(env, [shared](const Napi::CallbackInfo &call) {
			   return list(call.Env(), shared);
		   }));
	handle.Set("read", Napi::Function::New(env, [shared](const Napi::CallbackInfo &call) {
			   return read(call.Env(), shared, call);
		   }));
	handle.Set("extract", Napi::Function::New(env, [shared](const Napi::CallbackInfo &call) {
			   return extract(call.Env(), shared, call[0], call[1].As<Napi::Object>());
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
