#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "alambic/text/chat/chat_template.h"
#include "alambic/text/tokenizer/tokenizer.h"

namespace alambic {

/// What the server knows of a model. What is pointed to must outlive it.
struct ServedModel {
  std::string name;  ///< under which clients ask for it
  const Tokenizer* tokenizer = nullptr;
  const ChatTemplate* chat_template = nullptr;  ///< null: it has none
  std::optional<int32_t> end_of_turn;           ///< by which the template ends an answer
  int64_t context = 0;                          ///< most tokens of a sequence, prompt included
  int64_t vocabulary = 0;                       ///< the tokenizer's size: ids are below it
  /// The head as a safetensors file (docs/serve.md), and its SHA-256. From any thread.
  std::function<const std::string&()> head, head_digest;
};

}  // namespace alambic
