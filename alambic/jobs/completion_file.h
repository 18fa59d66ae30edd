// Completions that teachers wrote, kept as jsonl so that no later epoch, resumed run or other run
// has to write them again.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "alambic/base/files.h"
#include "alambic/remote/journal_usage.h"

namespace alambic {

struct KeptCompletion {
  std::vector<int32_t> tokens;  ///< ids, with the stop token where it ended by itself
  bool ended = false;           ///< stopped by itself, not at its greatest length
  Usage usage = {};             ///< what a server has counted for it
};

/// The first line says how the completions were made, every other holds one (docs/formats.md).
class CompletionFile {
 public:
  /// Opens or begins the file; an empty path keeps completions in memory alone. A last line that a
  /// crash has torn is cut off. Input errors: a file of something else, which is left as it is; a
  /// `made` that differs from the file's (naming what differs); a line that is no completion.
  CompletionFile(fs::path path, const nlohmann::ordered_json& made);

  /// Completion of a prompt by a teacher; null: none.
  const KeptCompletion* find(const std::string& teacher, const std::vector<int32_t>& prompt) const;
  /// What servers have counted for a teacher's completions.
  JournalUsage spent(const std::string& teacher) const;
  /// Adds it to the file at once. `prompt_text` and `text` are for people who read the file.
  void add(const std::string& teacher, const std::vector<int32_t>& prompt,
           const std::string& prompt_text, const std::string& text, KeptCompletion completion);

 private:
  using Key = std::pair<std::string, std::vector<int32_t>>;
  void read(std::string text, const nlohmann::ordered_json& made);
  void add_line(const nlohmann::ordered_json& line, size_t number);

  fs::path path_;
  std::map<Key, KeptCompletion> completions_;
};

}  // namespace alambic
