// Data sets: one JSON object per line (.jsonl), or one plain text (.txt).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "alambic/base/files.h"
#include "alambic/text/chat/chat.h"

namespace alambic {

/// One row, with the fields that `read_examples` was asked for.
struct Example {
  std::string prompt;  ///< a conversation's is what its template writes before the completion
  std::optional<std::string> completion;  ///< a conversation's is plain text, without template
  std::optional<std::string> answer;      ///< the known answer, for exact match
  std::optional<std::string> text;        ///< for next-token training; a .txt file is one such row
  std::optional<std::string> teacher;     ///< name of the teacher that grades this row
  std::optional<std::string> teacher_prompt;  ///< the prompt as the teacher reads it
  int64_t line = 1;                           ///< counted from 1, for messages
  std::shared_ptr<const Chat> chat;           ///< null where the row is plain text
  bool teacher_chat = false;                  ///< a template wrote `teacher_prompt`
};

/// Fields that a row must have, for example {"prompt", "completion"}.
using Fields = std::vector<std::string>;

/// Template and use with which conversations are read.
struct ChatReader {
  /// The template that writes them, asked for at the first one; none: conversations are refused.
  std::function<const ChatTemplate&()> chat_template;
  ChatUse use = ChatUse::prompts;
};

/// Reads every row of a file; each must have all fields of at least one of `any_of`. Known fields
/// are prompt, completion, answer, text, teacher and teacher_prompt, all strings, and messages;
/// others are left alone. Blank lines, a byte order mark and CRLF line ends are accepted.
///
/// A row is a conversation (chat.h) where `any_of` knows its `messages`, or its `prompt` is a list;
/// `teacher_prompt` may be a list too.
///
/// Errors name file and line: not JSON, a missing field (with the fields found), a field of another
/// type, an empty file, what chat.h says of a conversation.
std::vector<Example> read_examples(const fs::path& path, const std::vector<Fields>& any_of,
                                   const ChatReader& chats = {});

/// Whether all that a file's first row offers to learn is `text`: a .txt file, or jsonl whose first
/// row has `text` and neither `prompt` nor `messages`.
bool holds_text(const fs::path& path);

}  // namespace alambic
