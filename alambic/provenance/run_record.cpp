#include "alambic/provenance/run_record.h"

#include <array>
#include <cmath>
#include <map>

#include "alambic/base/error.h"
#include "alambic/base/file_system.h"
#include "alambic/base/json_object.h"
#include "alambic/base/sha256.h"
#include "alambic/io/gguf/split.h"
#include "alambic/provenance/canonical_json.h"
#include "alambic/provenance/license.h"
#include "alambic/provenance/machine.h"
#include "alambic/report/metrics.h"

namespace alambic {
namespace {

using SortedJson = nlohmann::json;

constexpr std::array fields = {"clock",      "command", "counters",  "data",      "determinism",
                               "evaluation", "events",  "format",    "hardware",  "output",
                               "parents",    "policy",  "precision", "scores",    "seed",
                               "state",      "student", "teachers",  "tokenizer", "tool"};

// Of a folder all but what signs it; of a file the file, with the other parts of a model in GGUF.
SortedJson digests_below(const fs::path& path, uint64_t& bytes, std::string& root,
                         DigestMemo* memo) {
  const bool folder = is_folder(path);
  std::vector<FilePart> parts;
  if (folder) {
    const std::vector<std::string> ignored = {".git", signature_name, slsa_name};
    for (const FolderFile& file : list_files(path, ignored, /*follow_links=*/true).files) {
      parts.push_back({file.name, 0, file.bytes});
    }
  } else {
    const bool is_model = path.extension() == ".gguf";
    for (const fs::path& file : is_model ? gguf_files_of(path) : std::vector{path}) {
      parts.push_back({file.filename().string(), 0, file_bytes(file)});
    }
  }
  const fs::path at = folder ? path : path.parent_path();
  const std::vector<std::string> digests =
      memo == nullptr ? digests_of(at, parts) : memo->digests_of(at, parts);
  SortedJson files = SortedJson::array();
  for (size_t i = 0; i < parts.size(); ++i) {
    bytes += parts[i].end;
    files.push_back({{"name", parts[i].name}, {"bytes", parts[i].end}, {"sha256", digests[i]}});
  }
  root = root_of(digests);
  return files;
}

double number_of(const MetricsRow& row, const char* name) { return row.number(name).value_or(0); }

void check_same(std::vector<FolderFault>& faults, const std::string& where, const char* what,
                const SortedJson& recorded, int64_t found) {
  if (recorded == found) return;
  faults.push_back(
      {FolderFault::Kind::record, where,
       fmt::format("its {} are {}, the record says {}", what, found, recorded.dump())});
}

void check_log(const fs::path& folder, const SortedJson& record, std::vector<FolderFault>& faults) {
  const fs::path metrics = folder / "metrics.jsonl";
  const SortedJson& log = record.at("clock").at("log");
  const auto lines = log.value("lines", int64_t{0});
  if (!is_file(metrics)) {
    if (is_file(folder / "config.toml") && lines > 0) {
      faults.push_back({FolderFault::Kind::missing, "metrics.jsonl", "is in the record"});
    }
    return;
  }
  const LogHead end{lines, log.value("hash", "")};
  if (const auto fault = log_fault(metrics, {}, end)) {
    faults.push_back(
        {FolderFault::Kind::chain, fmt::format("metrics.jsonl:{}", fault->line), fault->what});
    return;
  }
  const LogCounters found = counters_of(metrics);
  const SortedJson& counters = record.at("counters");
  check_same(faults, "metrics.jsonl", "steps", counters.at("steps"), found.steps);
  check_same(faults, "metrics.jsonl", "learned tokens", counters.at("learned_tokens"),
             found.learned_tokens);
  check_same(faults, "metrics.jsonl", "generated tokens", counters.at("generated_tokens"),
             found.generated_tokens);
  check_same(faults, "metrics.jsonl", "skipped steps", counters.at("skipped_steps"),
             found.skipped_steps);
}

// A chain that went on from a line which somebody had edited holds; that it did is an event.
void check_events(const SortedJson& record, std::vector<FolderFault>& faults) {
  for (const SortedJson& event : record.at("events")) {
    if (event.at("kind") != "log changed") continue;
    faults.push_back({FolderFault::Kind::chain, "metrics.jsonl",
                      "was changed before the run went on: " + event.value("what", "")});
  }
}

void check_list(const fs::path& folder, const std::string& prefix, const SortedJson& files,
                std::vector<FolderFault>& faults) {
  std::map<std::string, const SortedJson*> recorded;
  for (const SortedJson& file : files) recorded[file.at("name").get<std::string>()] = &file;
  for (const SortedJson& file : file_facts(folder)) {
    const std::string name = file["name"];
    const auto known = recorded.find(name);
    if (known == recorded.end()) {
      faults.push_back({FolderFault::Kind::added, prefix + name, "is not in the record"});
    } else if (*known->second != file) {
      faults.push_back({FolderFault::Kind::altered, prefix + name, "is not what the record says"});
    }
    if (known != recorded.end()) recorded.erase(known);
  }
  for (const auto& [name, file] : recorded) {
    faults.push_back({FolderFault::Kind::missing, prefix + name, "is in the record"});
  }
}

// Of a run its folders model/ and adapter/, of a model itself.
void check_files(const fs::path& folder, const SortedJson& record,
                 std::vector<FolderFault>& faults) {
  const SortedJson& output = record.at("output");
  if (!output.contains("files")) return;
  if (!is_file(folder / "config.toml")) return check_list(folder, "", output.at("files"), faults);
  check_list(folder / "model", "model/", output.at("files"), faults);
  if (output.contains("adapter")) {
    check_list(folder / "adapter", "adapter/", output.at("adapter"), faults);
  }
}

}  // namespace

SortedJson model_facts(const std::string& name, const fs::path& folder, DigestMemo* memo) {
  uint64_t bytes = 0;
  std::string root;
  const SortedJson files = digests_below(folder, bytes, root, memo);
  return {{"name", name},
          {"root", root},
          {"files", files.size()},
          {"bytes", bytes},
          {"license", license_record(license_of(folder))}};
}

SortedJson data_facts(const std::string& name, int64_t rows, DigestMemo* memo) {
  SortedJson facts = {{"name", name},
                      {"rows", rows < 0 ? unknown_fact("not counted") : SortedJson(rows)},
                      {"license", unknown_fact("nothing beside the data says it")}};
  if (!is_file(name) && !is_folder(name)) {
    facts["sha256"] = unknown_fact("it is read once, and is no file");
    return facts;
  }
  uint64_t bytes = 0;
  std::string root;
  const SortedJson files = digests_below(name, bytes, root, memo);
  facts["bytes"] = bytes;
  facts["sha256"] = is_file(name) ? files[0]["sha256"] : SortedJson(root);
  return facts;
}

SortedJson file_facts(const fs::path& folder) {
  if (!is_folder(folder)) return SortedJson::array();
  SortedJson files = SortedJson::array();
  uint64_t bytes = 0;
  std::string root;
  for (const SortedJson& file : digests_below(folder, bytes, root, nullptr)) {
    if (file["name"] != record_name) files.push_back(file);
  }
  return files;
}

void count_row(LogCounters& counters, const MetricsRow& row) {
  counters.steps = static_cast<int64_t>(number_of(row, "step"));
  counters.learned_tokens += static_cast<int64_t>(number_of(row, "tokens"));
  counters.generated_tokens += static_cast<int64_t>(number_of(row, "generated_tokens"));
  counters.seconds = number_of(row, "seconds");
  const double size = number_of(row, "loss") + number_of(row, "grad_norm");
  if (!std::isfinite(size)) ++counters.skipped_steps;
}

LogCounters counters_of(const fs::path& metrics) {
  LogCounters counters;
  if (!is_file(metrics)) return counters;
  for (const MetricsRow& row : read_metrics(metrics)) count_row(counters, row);
  counters.head = log_head_of(metrics);
  return counters;
}

void write_record(const fs::path& folder, const SortedJson& record) {
  make_folder(folder / "provenance");
  write_file(folder / record_name, canonical_json(record) + "\n");
}

std::optional<SortedJson> read_record(const fs::path& folder) {
  const fs::path file = folder / record_name;
  if (!is_file(file)) return {};
  const std::string where = file.string(), text = read_file(file, 64 << 20);
  SortedJson record = parse_json_object<SortedJson>(text, where);
  for (const char* field : fields) {
    if (!record.contains(field)) throw input_error("{} has no \"{}\"", where, field);
  }
  for (const char* field : {"clock", "counters", "output", "student", "tool", "tokenizer"}) {
    if (!record[field].is_object()) throw input_error("{}: \"{}\" is no object", where, field);
  }
  for (const char* field : {"data", "events", "parents", "scores", "teachers"}) {
    if (!record[field].is_array()) throw input_error("{}: \"{}\" is no list", where, field);
  }
  if (canonical_json(record) + "\n" != text) {
    throw input_error("{} is not in canonical JSON: it was not written by Alambic", where);
  }
  return record;
}

std::vector<FolderFault> record_faults(const fs::path& folder, const SortedJson& record) {
  std::vector<FolderFault> faults;
  try {
    check_files(folder, record, faults);
    check_log(folder, record, faults);
    check_events(record, faults);
  } catch (const SortedJson::exception&) {
    throw input_error("{}: a field has another type than a record's", record_name);
  }
  return faults;
}

}  // namespace alambic
