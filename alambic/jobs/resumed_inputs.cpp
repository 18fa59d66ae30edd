#include "alambic/jobs/resumed_inputs.h"

#include <algorithm>
#include <variant>

#include "alambic/base/error.h"
#include "alambic/base/file_system.h"
#include "alambic/jobs/teacher_options.h"
#include "alambic/options/config_toml.h"
#include "alambic/provenance/run_record.h"
#include "alambic/text/data/data_sources.h"

namespace alambic {
namespace {

using Record = nlohmann::json;

// "" where the record says why it does not know.
std::string known(const Record& facts, const char* field) {
  const auto found = facts.find(field);
  return found != facts.end() && found->is_string() ? found->get<std::string>() : "";
}

const char* key_of(const std::string& option) {
  return option == "model" ? "student" : option.c_str();
}

// The options that a digest stands for, and what they name, as a record has them.
struct NamedDigest {
  std::string option, name, digest;
};

std::vector<NamedDigest> digests_in(const Record& record) {
  const auto name = [](const Record& facts) { return facts.value("name", ""); };
  std::vector<NamedDigest> all;
  const Record& student = record.at("student");
  all.push_back({"student", name(student), known(student, "root")});
  for (const Record& teacher : record.at("teachers")) {
    all.push_back({"teacher", name(teacher), known(teacher, "root")});
  }
  for (const Record& score : record.at("scores")) {
    if (score.value("kind", "") != "judge") continue;
    all.push_back({"judge", name(score), known(score, "root")});
    if (score.at("rubric").is_object()) {
      all.push_back({"judge-rubric", name(score["rubric"]), known(score["rubric"], "sha256")});
    }
  }
  for (const Record& data : record.at("data")) {
    const bool training = data.value("use", "training") == "training";
    all.push_back({training ? "data" : "valid-data", name(data), known(data, "sha256")});
  }
  const Record& tokenizer = record.at("tokenizer");
  all.push_back({"chat-template", "", known(tokenizer, "chat_template")});
  return all;
}

// A value without the name or the weight that an option may have beside the path.
struct NamedPath {
  std::string name;
  double weight = 0;
  std::string path;
};

std::vector<NamedPath> paths_of(const std::string& option, const std::vector<std::string>& texts) {
  std::vector<NamedPath> paths;
  if (option == "data") {
    for (const DataSource& source : parse_data_sources(texts)) {
      paths.push_back({"", source.weight, source.name});
    }
    return paths;
  }
  for (const std::string& text : texts) {
    const NamedFolder named = option == "teacher" ? parse_teacher(text) : NamedFolder{"", text};
    paths.push_back({named.name, 0, named.folder});
  }
  return paths;
}

bool is_same_file(const std::string& a, const std::string& b) {
  std::error_code error;
  return fs::equivalent(a, b, error);
}

std::string digest_of(const OptionEntry& option, const std::string& path, DigestMemo& memo) {
  if (!is_file(path) && !is_folder(path)) return "";
  return option.is_model ? known(model_facts("", path, &memo), "root")
                         : known(data_facts(path, -1, &memo), "sha256");
}

Record record_of(const fs::path& run) {
  try {
    return read_record(run).value_or(Record());
  } catch (const Error&) {  // said where the record is taken over (RunProvenance)
    return nullptr;
  }
}

}  // namespace

InputDigests input_digests(const Record& record) {
  InputDigests digests;
  if (!record.is_object()) return digests;
  for (NamedDigest& input : digests_in(record)) {
    digests[input.option].push_back(std::move(input.digest));
  }
  return digests;
}

std::vector<std::string> other_inputs(const Record& before, const Record& now) {
  const InputDigests known = input_digests(before);
  std::map<std::string, size_t> places;
  std::vector<std::string> others;
  for (const NamedDigest& input : digests_in(now)) {
    const size_t place = places[input.option]++;
    const auto was = known.find(input.option);
    if (was == known.end() || place >= was->second.size() || input.digest.empty()) continue;
    const std::string& digest = was->second[place];
    if (digest.empty() || digest == input.digest) continue;
    others.push_back("--" + input.option + (input.name.empty() ? "" : " " + input.name));
  }
  return others;
}

ResumedInputs::ResumedInputs(const fs::path& run) : known_(input_digests(record_of(run))) {}

std::string ResumedInputs::digest(const std::string& option, size_t place) const {
  const auto found = known_.find(key_of(option));
  return found != known_.end() && place < found->second.size() ? found->second[place] : "";
}

bool ResumedInputs::same_files(const OptionEntry& option, const std::string& was,
                               const std::string& is) {
  const std::vector<NamedPath> before = paths_of(option.name, texts_of_toml(was)),
                               now = paths_of(option.name, texts_of_toml(is));
  if (before.size() != now.size()) return false;
  for (size_t i = 0; i < now.size(); ++i) {
    if (before[i].name != now[i].name || before[i].weight != now[i].weight) return false;
    const std::string& path = now[i].path;
    if (before[i].path == path || is_same_file(before[i].path, path)) continue;
    const std::string digest = this->digest(option.name, i);
    if (digest.empty() || digest != digest_of(option, path, memo_)) return false;
  }
  return true;
}

std::vector<std::string> ResumedInputs::other_data(const OptionTable& table) {
  std::vector<std::string> others;
  for (const char* option : {"data", "valid-data"}) {
    const OptionEntry* entry = table.find(option);
    if (entry == nullptr) continue;
    const std::vector<NamedPath> paths = paths_of(option, texts_of_toml(entry->toml()));
    for (size_t i = 0; i < paths.size(); ++i) {
      const std::string before = digest(option, i);
      if (before.empty()) continue;
      const std::string now = digest_of(*entry, paths[i].path, memo_);
      if (!now.empty() && now != before) others.push_back(paths[i].path);
    }
  }
  return others;
}

}  // namespace alambic
