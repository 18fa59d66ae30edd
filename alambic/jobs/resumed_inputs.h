// Whether the files of a resumed run are those that it began with, whatever they are called.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "alambic/base/files.h"
#include "alambic/options/option_table.h"
#include "alambic/provenance/folder_digests.h"

namespace alambic {

/// SHA-256 of what a record tells of, by the option that names it and in its order; "" where the
/// record does not know it: {"data", {"4f…", ""}}. The student's is called "student".
using InputDigests = std::map<std::string, std::vector<std::string>>;
InputDigests input_digests(const nlohmann::json& record);

/// Options with digests in both that differ, as "--teacher models/big".
std::vector<std::string> other_inputs(const nlohmann::json& before, const nlohmann::json& now);

class ResumedInputs {
 public:
  /// Of the run in this folder; nothing is known where its record cannot be read.
  explicit ResumedInputs(const fs::path& run);

  /// Whether an option's values, as config.toml has them, name the same files with the same names
  /// and weights before and behind: by inode, else by what the record knows, for which files that
  /// have moved are read.
  bool same_files(const OptionEntry& option, const std::string& was, const std::string& is);

  /// Files and folders of --data and --valid-data whose bytes are not those that the record knows.
  /// Reads them.
  std::vector<std::string> other_data(const OptionTable& table);

 private:
  std::string digest(const std::string& option, size_t place) const;

  InputDigests known_;
  DigestMemo memo_;
};

}  // namespace alambic
