// What made a model: one canonical JSON file in a run's folder and in its model's
// (docs/run_record.schema.json).
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "alambic/base/files.h"
#include "alambic/base/log_head.h"
#include "alambic/provenance/sign_folder.h"
#include "alambic/report/metrics.h"

namespace alambic {

inline constexpr const char* record_name = "provenance/record.json";

/// A model as a record lists it: name, digests and license; the record that lies in it, as a
/// parent. `folder` may be a GGUF file. Reads every byte of the files that `memo` does not know
/// (null: all).
nlohmann::json model_facts(const std::string& name, const fs::path& folder,
                           DigestMemo* memo = nullptr);

/// A file of data, with `rows` where they are counted (not below 0). A folder's root is that of its
/// files; what is no file or folder (standard input) is unknown.
nlohmann::json data_facts(const std::string& name, int64_t rows, DigestMemo* memo = nullptr);

/// Name, size and SHA-256 of every file of `folder` but its signatures and its record.
nlohmann::json file_facts(const fs::path& folder);

/// Steps and tokens that metrics.jsonl tells of, and where its chain stands. All 0 without a file.
struct LogCounters {
  int64_t steps = 0, learned_tokens = 0, generated_tokens = 0;
  int64_t skipped_steps = 0;  ///< whose loss or gradient was not finite
  double seconds = 0;         ///< of training, by the clock
  LogHead head;
};
LogCounters counters_of(const fs::path& metrics);

/// Adds a row that has just been written; `head` is not touched.
void count_row(LogCounters& counters, const MetricsRow& row);

/// Writes the record into folder/provenance, in canonical JSON.
void write_record(const fs::path& folder, const nlohmann::json& record);

/// The record of a folder; nothing where there is none. Input errors: not a record, not canonical,
/// a name twice, a field that is missing.
std::optional<nlohmann::json> read_record(const fs::path& folder);

/// What in a folder is not what its record says: files of the model, figures of the log.
std::vector<FolderFault> record_faults(const fs::path& folder, const nlohmann::json& record);

}  // namespace alambic
