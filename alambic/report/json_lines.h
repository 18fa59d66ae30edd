// A log of JSON objects, one per line: metrics.jsonl and samples.jsonl of a run folder.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "alambic/report/append_file.h"

namespace alambic {

/// Rows in the order of the file, keys in the order of the line. A last line that a crash tore is
/// left out; any other line that is not an object is an input error naming file and line.
std::vector<nlohmann::ordered_json> read_json_lines(const fs::path& path);

class JsonLinesWriter {
 public:
  /// Starts the file afresh, or continues the one that is there after `resume_step`: rows whose
  /// "step" is greater, and a torn last line, are removed first.
  explicit JsonLinesWriter(const fs::path& path, std::optional<int64_t> resume_step = {});

  /// Doubles keep every bit; NaN and infinities become null. Bytes that are not UTF-8 (a sample
  /// cut inside a character) become U+FFFD. The line as it was written, without its line break.
  std::string append(const nlohmann::ordered_json& row);

 private:
  AppendFile file_;
};

}  // namespace alambic
