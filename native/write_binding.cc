// writeContents(job) → { promise, progress(), abort() }, createCompressor(compression), and
// compressBlock(compression, bytes, cancellation) → promise

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "job.h"
#include "pipeline.h"
#include "spec_binding.h"

namespace native
{
namespace
{

Ends ends_of(Napi::Value value)
{
	std::string name = bytes_of(value);
	return name == "all" ? Ends::all : name == "small" ? Ends::of_small_files : Ends::none;
}

// Where the files are. The job holds the texts, and must not grow by any afterwards.
void take_names(WriteJob &job, Napi::Object from)
{
	auto folders = from.Get("folders").As<Napi::Array>();
	for (uint32_t i = 0; i < folders.Length(); i++)
		job.folders.push_back(bytes_of(folders.Get(i)));
	auto names = from.Get("names").As<Napi::Array>();
	auto folder_of = from.Get("folderOf").As<Napi::Uint32Array>();
	std::vector<size_t> places;
	job.files.resize(names.Length());
	for (uint32_t i = 0; i < job.files.size(); i++) {
		// Scopes end here, or there would be a handle for each name.
		Napi::HandleScope scope(from.Env());
		std::string name = bytes_of(names.Get(i));
		places.push_back(job.names.size());
		job.names.insert(job.names.end(), name.c_str(), name.c_str() + name.size() + 1);
	}
	job.names.shrink_to_fit();
	for (uint32_t i = 0; i < job.files.size(); i++) {
		job.files[i].folder = &job.folders[folder_of[i]];
		job.files[i].name = job.names.data() + places[i];
	}
}

// What the files were. The rows stay where JavaScript has them: it keeps them while the job runs.
void take_identities(WriteJob &job, Napi::Object from)
{
	auto arrays = from.Get("identities").As<Napi::Array>();
	std::vector<const int64_t *> tables;
	for (uint32_t i = 0; i < arrays.Length(); i++)
		tables.push_back(arrays.Get(i).As<Napi::BigInt64Array>().Data());
	auto table_of = from.Get("tableOf").As<Napi::Uint32Array>();
	auto row_of = from.Get("rowOf").As<Napi::Uint32Array>();
	for (uint32_t i = 0; i < job.files.size(); i++) {
		if (row_of[i] == none) // in memory
			continue;
		FileSpec &file = job.files[i];
		file.identity = tables[table_of[i]] + row_of[i] * identity_row::columns;
		file.size = static_cast<uint64_t>(file.identity[identity_row::size]);
	}
	auto parts = from.Get("parts").As<Napi::Float64Array>();
	for (size_t at = 0; at < parts.ElementLength(); at += part_row::columns) {
		FileSpec &file = job.files[static_cast<uint32_t>(parts[at + part_row::file])];
		file.offset = static_cast<uint64_t>(parts[at + part_row::offset]);
		file.size = static_cast<uint64_t>(parts[at + part_row::size]);
	}
}

// Contents that differ from their files, by index.
void take_changes(std::vector<FileSpec> &files, Napi::Object changes)
{
	Napi::Array indices = changes.GetPropertyNames();
	for (uint32_t k = 0; k < indices.Length(); k++) {
		Napi::Value key = indices.Get(k);
		FileSpec &file = files[key.ToNumber().Uint32Value()];
		auto change = changes.Get(key).As<Napi::Object>();
		FileSpec::Given &given = file.give();
		given.is_changed = true;
		given.file_size = number_from(change, "from");
		auto pieces = change.Get("pieces").As<Napi::Array>();
		for (uint32_t i = 0; i < pieces.Length(); i++) {
			auto piece = pieces.Get(i).As<Napi::Object>();
			auto bytes = piece.Get("bytes").As<Napi::Uint8Array>();
			given.pieces.push_back(
				{ number_from(piece, "offset"),
				  { bytes.Data(), bytes.Data() + bytes.ByteLength() } });
		}
	}
}

// Of files, blocks and ends that are stored as they are.
void take_stored(WriteJob &job, Napi::Object from)
{
	job.stored_compression = static_cast<uint8_t>(number_from(from, "compression"));
	auto rows = from.Get("blocks").As<Napi::Uint32Array>();
	for (size_t i = 0; i + 1 < rows.ElementLength(); i += 2) {
		FileSpec &file = job.files[rows[i]];
		if (rows[i + 1] < job.block_count(file.size))
			job.stored.emplace_back(rows[i], rows[i + 1]);
		else
			file.end_compression = job.stored_compression;
	}
	std::sort(job.stored.begin(), job.stored.end());
}

RecordSpec record_from(Napi::Object from)
{
	RecordSpec record;
	record.key = bytes_of(from.Get("key"));
	record.make = bytes_of(from.Get("make"));
	auto kept = from.Get("kept").As<Napi::Array>();
	for (uint32_t i = 0; i < kept.Length(); i++)
		record.kept.push_back(bytes_of(kept.Get(i)));
	return record;
}

WriteJob job_from(Napi::Object from)
{
	WriteJob job;
	auto compressions = from.Get("compressions").As<Napi::Array>();
	for (uint32_t i = 0; i < compressions.Length(); i++)
		job.compressions.push_back(
			compression_from(compressions.Get(i).As<Napi::Object>()));
	job.ends = ends_of(from.Get("fragments"));
	job.by_similarity = bytes_of(from.Get("order")) == "similarity";
	job.ahead = static_cast<uint32_t>(number_from(from, "ahead"));
	job.block_size = static_cast<uint32_t>(number_from(from, "blockSize"));
	job.threads = static_cast<unsigned>(number_from(from, "threads"));
	job.fd = static_cast<int>(number_from(from, "fd"));
	job.image_offset = number_from(from, "imageOffset");
	job.data_offset = number_from(from, "dataOffset");

	auto chosen = from.Get("chosen").As<Napi::Uint8Array>();
	auto memory = from.Get("memory").As<Napi::Object>();
	take_names(job, from);
	take_identities(job, from);
	for (uint32_t i = 0; i < job.files.size(); i++) {
		job.files[i].compression = chosen[i];
		job.files[i].end_compression = chosen[i];
	}
	Napi::Array in_memory = memory.GetPropertyNames();
	for (uint32_t k = 0; k < in_memory.Length(); k++) {
		Napi::Value key = in_memory.Get(k);
		FileSpec &file = job.files[key.ToNumber().Uint32Value()];
		auto bytes = memory.Get(key).As<Napi::Uint8Array>();
		file.give().in_memory = true;
		file.give().memory.assign(bytes.Data(), bytes.Data() + bytes.ByteLength());
		file.size = bytes.ByteLength();
	}
	take_stored(job, from.Get("stored").As<Napi::Object>());
	take_changes(job.files, from.Get("changes").As<Napi::Object>());
	if (from.Get("store").IsObject())
		job.store = store_from(from.Get("store").As<Napi::Object>());
	if (from.Get("record").IsObject())
		job.record = record_from(from.Get("record").As<Napi::Object>());
	return job;
}

Napi::Value to_js(Napi::Env env, const Result &result)
{
	Napi::Object object = Napi::Object::New(env);
	auto files = Napi::Float64Array::New(env, result.files.size() * written_row::columns);
	for (size_t i = 0; i < result.files.size(); i++) {
		const FileResult &file = result.files[i];
		double *row = files.Data() + i * written_row::columns;
		row[written_row::start] = static_cast<double>(file.start);
		row[written_row::first_block] = static_cast<double>(file.first_block);
		row[written_row::block_count] = static_cast<double>(file.block_count);
		row[written_row::sparse] = static_cast<double>(file.sparse);
		row[written_row::fragment] = file.fragment;
		row[written_row::fragment_offset] = file.fragment_offset;
		row[written_row::duplicate_of] = file.duplicate_of;
	}
	auto sizes = Napi::Uint32Array::New(env, result.block_sizes.size());
	std::copy(result.block_sizes.begin(), result.block_sizes.end(), sizes.Data());
	auto fragments =
		Napi::Float64Array::New(env, result.fragments.size() * fragment_row::columns);
	for (size_t i = 0; i < result.fragments.size(); i++) {
		double *row = fragments.Data() + i * fragment_row::columns;
		row[fragment_row::start] = static_cast<double>(result.fragments[i].start);
		row[fragment_row::size] = result.fragments[i].size;
	}
	object.Set("files", files);
	object.Set("blockSizes", sizes);
	object.Set("fragments", fragments);
	object.Set("blocks", Napi::Number::New(env, static_cast<double>(result.blocks)));
	auto used = Napi::Array::New(env, result.used_files.size());
	for (uint32_t i = 0; i < result.used_files.size(); i++)
		used.Set(i, Napi::Boolean::New(env, result.used_files[i]));
	object.Set("usedFiles", used);
	object.Set("keptBlocks", Napi::Number::New(env, static_cast<double>(result.kept_blocks)));
	object.Set("unread", Napi::Number::New(env, static_cast<double>(result.unread)));
	object.Set("isRecorded", Napi::Boolean::New(env, result.is_recorded));
	object.Set("usedRecord", Napi::Number::New(env, result.used_record));
	object.Set("isReplaced", Napi::Boolean::New(env, result.is_replaced));
	object.Set("end", Napi::Number::New(env, static_cast<double>(result.end)));
	return object;
}

Napi::Value write_contents(const Napi::CallbackInfo &info)
{
	Napi::Env env = info.Env();
	auto status = std::make_shared<Status>();
	auto from = info[0].As<Napi::Object>();
	auto job = std::make_shared<WriteJob>(job_from(from));
	// It lives in the status, which the job holds.
	std::shared_ptr<Cancellation> cancellation(status, &status->cancellation);
	Napi::Object handle = Napi::Object::New(env);
	handle.Set("promise",
		   Job<Result>::start(
			   env, cancellation,
			   [job = std::move(job), status] { return run_pipeline(*job, *status); },
			   to_js, from.Get("identities").As<Napi::Object>()));
	handle.Set("progress", Napi::Function::New(env, [status](const Napi::CallbackInfo &call) {
			   Napi::Object now = Napi::Object::New(call.Env());
			   now.Set("bytes", static_cast<double>(status->bytes.load()));
			   now.Set("files", static_cast<double>(status->files.load()));
			   return now;
		   }));
	handle.Set("abort", Napi::Function::New(env, [cancellation](const Napi::CallbackInfo &) {
			   cancellation->cancel();
		   }));
	return handle;
}

// A function from bytes to compressed bytes, or to null where they would not shrink.
Napi::Value create_compressor(const Napi::CallbackInfo &info)
{
	struct State {
		std::unique_ptr<Compressor> compressor;
		std::vector<uint8_t> output;
	};
	auto state = std::make_shared<State>();
	state->compressor = Compressor::for_tables(compression_from(info[0].As<Napi::Object>()));
	return Napi::Function::New(
		info.Env(), [state](const Napi::CallbackInfo &call) -> Napi::Value {
			auto bytes = call[0].As<Napi::Uint8Array>();
			state->output.resize(bytes.ByteLength());
			size_t size = state->compressor->compress(bytes.Data(), bytes.ByteLength(),
								  state->output.data());
			if (size == 0)
				return call.Env().Null();
			return Napi::Buffer<uint8_t>::Copy(call.Env(), state->output.data(), size);
		});
}

// The same for one block, on a thread. A compressor of its own for each: blocks of streams have megabytes.
Napi::Value compress_block(const Napi::CallbackInfo &info)
{
	Compression compression = compression_from(info[0].As<Napi::Object>());
	auto bytes = info[1].As<Napi::Uint8Array>();
	const uint8_t *data = bytes.Data();
	size_t size = bytes.ByteLength();
	using Bytes = std::vector<uint8_t>;
	return Job<Bytes>::start(
		info.Env(), cancellation_of(info[2]),
		[compression, data, size] {
			Bytes made(size);
			made.resize(Compressor::for_tables(compression)
					    ->compress(data, size, made.data()));
			return made;
		},
		[](Napi::Env env, const Bytes &made) -> Napi::Value {
			if (made.empty())
				return env.Null();
			return Napi::Buffer<uint8_t>::Copy(env, made.data(), made.size());
		},
		bytes);
}

} // namespace

void export_write(Napi::Env env, Napi::Object exports)
{
	exports.Set("writeContents", Napi::Function::New(env, write_contents, "writeContents"));
	exports.Set("createCompressor",
		    Napi::Function::New(env, create_compressor, "createCompressor"));
	exports.Set("compressBlock", Napi::Function::New(env, compress_block, "compressBlock"));
}

} // namespace native
