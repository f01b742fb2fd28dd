// scanDirectory(path, userXattrs, cancellation) → { names, status, identities, targets, xattrs, failures }

#include <sys/sysmacros.h>

#include "generated/addon.h"
#include "job.h"
#include "scan.h"
#include "source.h"

namespace native
{
namespace
{

void fill_status(double *row, const struct stat &status)
{
	row[status_row::mode] = status.st_mode;
	row[status_row::nlink] = static_cast<double>(status.st_nlink);
	row[status_row::uid] = status.st_uid;
	row[status_row::gid] = status.st_gid;
	row[status_row::major] = major(status.st_rdev);
	row[status_row::minor] = minor(status.st_rdev);
	row[status_row::mtime] = static_cast<double>(status.st_mtim.tv_sec);
}

void fill_identity(int64_t *row, const struct stat &status)
{
	row[identity_row::size] = status.st_size;
	row[identity_row::dev] = static_cast<int64_t>(status.st_dev);
	row[identity_row::ino] = static_cast<int64_t>(status.st_ino);
	row[identity_row::mtime_ns] = nanoseconds(status.st_mtim);
	row[identity_row::ctime_ns] = nanoseconds(status.st_ctim);
}

Napi::Value xattrs_of(Napi::Env env, const ScannedEntry &entry)
{
	Napi::Array list = Napi::Array::New(env, entry.xattrs.size());
	for (uint32_t i = 0; i < entry.xattrs.size(); i++) {
		const auto &[name, value] = entry.xattrs[i];
		Napi::Object pair = Napi::Object::New(env);
		pair.Set("name", byte_string(env, name));
		pair.Set("value", Napi::Buffer<char>::Copy(env, value.data(), value.size()));
		list.Set(i, pair);
	}
	return list;
}

Napi::Value to_js(Napi::Env env, const std::vector<ScannedEntry> &entries)
{
	Napi::Array names = Napi::Array::New(env, entries.size());
	auto status = Napi::Float64Array::New(env, entries.size() * status_row::columns);
	auto identities = Napi::BigInt64Array::New(env, entries.size() * identity_row::columns);
	Napi::Object targets = Napi::Object::New(env);
	Napi::Object xattrs = Napi::Object::New(env);
	Napi::Object failures = Napi::Object::New(env);
	for (uint32_t i = 0; i < entries.size(); i++) {
		const ScannedEntry &entry = entries[i];
		names.Set(i, byte_string(env, entry.name));
		fill_status(status.Data() + i * status_row::columns, entry.status);
		fill_identity(identities.Data() + i * identity_row::columns, entry.status);
		if (!entry.target.empty())
			targets.Set(i, byte_string(env, entry.target));
		if (!entry.xattrs.empty())
			xattrs.Set(i, xattrs_of(env, entry));
		if (entry.error != 0)
			failures.Set(i, error_from(env, Failure{ Failure::Kind::read, entry.error,
								 entry.step, "" })
						.Value());
	}
	Napi::Object result = Napi::Object::New(env);
	result.Set("names", names);
	result.Set("status", status);
	result.Set("identities", identities);
	result.Set("targets", targets);
	result.Set("xattrs", xattrs);
	result.Set("failures", failures);
	return result;
}

Napi::Value scan(const Napi::CallbackInfo &info)
{
	auto cancellation = cancellation_of(info[2]);
	return Job<std::vector<ScannedEntry>>::start(
		info.Env(), cancellation,
		[path = bytes_of(info[0]), user = info[1].ToBoolean().Value(), cancellation] {
			return scan_directory(path, user, *cancellation);
		},
		to_js);
}

} // namespace

void export_scan(Napi::Env env, Napi::Object exports)
{
	exports.Set("scanDirectory", Napi::Function::New(env, scan, "scanDirectory"));
}

} // namespace native
