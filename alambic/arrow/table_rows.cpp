// libalambic_arrow.so: Parquet and Arrow files as rows of JSON (text/data/table_library.h).
#include <arrow/api.h>
#include <arrow/io/api.h>
#include <arrow/ipc/api.h>
#include <parquet/arrow/reader.h>

#include "alambic/arrow/json_rows.h"
#include "alambic/base/error.h"
#include "alambic/base/version.h"
#include "alambic/text/data/table_library.h"

namespace alambic {

namespace {

constexpr int64_t rows_per_batch = 512;
constexpr size_t piece_bytes = size_t{1} << 20;

// Arrow's own words are for its developers; what can be done depends on the kind alone.
Error refused(const std::string& name, const char* format, const arrow::Status& status) {
  if (status.IsNotImplemented()) {
    return input_error("cannot read {}: it has a packing or a type that Apache Arrow {} lacks",
                       name, ARROW_VERSION_STRING)
        .with_hint("write it again with pyarrow, or as jsonl");
  }
  if (status.IsOutOfMemory()) {
    return input_error("cannot read {}: it asks for more memory than there is", name)
        .with_hint("its sizes are broken, or its batches too large for this machine");
  }
  return input_error("cannot read {}: its {} data is broken or cut short", name, format)
      .with_hint("was it copied whole?");
}

template <class T>
T value_of(arrow::Result<T> result, const std::string& name, const char* format) {
  if (!result.ok()) throw refused(name, format, result.status());
  return std::move(result).ValueUnsafe();
}

// Collects rows, and hands them on in pieces.
struct Writer {
  const TakeBytes& take;
  std::string rows = {};

  void add(const arrow::RecordBatch& batch) {
    for (int64_t i = 0; i < batch.num_rows(); ++i) {
      append_json_row(batch, i, rows);
      if (rows.size() >= piece_bytes) flush();
    }
  }
  void flush() {
    take(rows);
    rows.clear();
  }
};

// A file's offsets may point anywhere; Parquet's arrays were made here.
void add_checked(const arrow::RecordBatch& batch, const std::string& name, Writer& writer) {
  if (const auto status = batch.ValidateFull(); !status.ok()) throw refused(name, "Arrow", status);
  writer.add(batch);
}

void add_all(arrow::RecordBatchReader& reader, const std::string& name, const char* format,
             Writer& writer) {
  while (const auto batch = value_of(reader.Next(), name, format)) {
    add_checked(*batch, name, writer);
  }
}

using File = std::shared_ptr<arrow::io::RandomAccessFile>;

void write_parquet(const std::string& name, const File& file, Writer& writer) {
  constexpr const char* format = "Parquet";
  parquet::arrow::FileReaderBuilder builder;
  if (const auto status = builder.Open(file); !status.ok()) throw refused(name, format, status);
  parquet::ArrowReaderProperties properties;
  properties.set_batch_size(rows_per_batch);
  properties.set_pre_buffer(false);
  const auto reader = value_of(builder.properties(properties)->Build(), name, format);
  for (int group = 0; group < reader->num_row_groups(); ++group) {
    const auto batches = value_of(reader->GetRecordBatchReader({group}), name, format);
    add_all(*batches, name, format, writer);
  }
}

void write_arrow(const std::string& name, const File& file, Writer& writer) {
  constexpr const char* format = "Arrow";
  const auto begin = value_of(file->ReadAt(0, 6), name, format);
  if (begin->ToString() != "ARROW1") {
    add_all(*value_of(arrow::ipc::RecordBatchStreamReader::Open(file), name, format), name, format,
            writer);
    return;
  }
  const auto reader = value_of(arrow::ipc::RecordBatchFileReader::Open(file), name, format);
  for (int i = 0; i < reader->num_record_batches(); ++i) {
    add_checked(*value_of(reader->ReadRecordBatch(i), name, format), name, writer);
  }
}

void write_rows(const std::string& name, const fs::path& path, DataPacking packing,
                const TakeBytes& take) {
  const bool parquet = packing == DataPacking::parquet;
  const char* format = parquet ? "Parquet" : "Arrow";
  Writer writer{take};
  try {
    const File file = value_of(
        arrow::io::MemoryMappedFile::Open(path.string(), arrow::io::FileMode::READ), name, format);
    parquet ? write_parquet(name, file, writer) : write_arrow(name, file, writer);
  } catch (const Error&) {
    throw;
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception&) {
    throw refused(name, format, arrow::Status::Invalid(""));
  }
  writer.flush();
}

}  // namespace

}  // namespace alambic

extern "C" {
extern const alambic::TableLibrary alambic_table_library;
const alambic::TableLibrary alambic_table_library = {alambic::kVersion, alambic::write_rows};
}
