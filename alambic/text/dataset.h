// Data sets: one JSON object per line (.jsonl), or one plain text (.txt).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "alambic/base/files.h"

namespace alambic {

/// One row. Which of the fields are there is what `read_examples` was asked for.
struct Example {
  std::string prompt;
  std::optional<std::string> completion;
  std::optional<std::string> answer;   ///< the known answer, for exact match
  std::optional<std::string> text;     ///< for next-token training; a .txt file is one such row
  std::optional<std::string> teacher;  ///< name of the teacher that grades this row
  std::optional<std::string> teacher_prompt;  ///< what the teacher reads in place of the prompt
  int64_t line = 1;                           ///< counted from 1, for messages
};

/// Fields that a row must have, for example {"prompt", "completion"}.
using Fields = std::vector<std::string>;

/// Reads every row of a file; each must have all fields of at least one of `any_of`. Known fields
/// are prompt, completion, answer, text, teacher and teacher_prompt, all strings; others are left
/// alone. Blank lines, a byte
/// order mark and CRLF line ends are accepted.
///
/// Errors name file and line: not JSON, a missing field (with the fields found), a field that is
/// not a string, an empty file. `messages` are refused: chat templates are not built yet.
std::vector<Example> read_examples(const fs::path& path, const std::vector<Fields>& any_of);

}  // namespace alambic
