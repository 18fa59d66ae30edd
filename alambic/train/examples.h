#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "alambic/text/dataset.h"
#include "alambic/text/tokenizer/tokenizer.h"
#include "alambic/train/long_rows.h"

namespace alambic {

/// A row of a data set as token ids. The completion ends with the end-of-text token, or as a chat
/// template ends a turn; that is learned and graded like any other.
struct TokenizedExample {
  std::vector<int32_t> prompt;
  std::optional<std::vector<int32_t>> completion;
  /// Tokens of the completion that are learned; empty: all. Others are there in a conversation
  /// that was read for all its completions: `prompt` then ends where the first of them begins.
  std::vector<bool> learned = {};
  std::shared_ptr<const Chat> chat = nullptr;  ///< null: the row is no conversation
};

/// Tokenizes prompts (with the tokenizer's special tokens) and completions (without, plus EOS), and
/// conversations as their template writes them (text/chat/chat_tokens.h). A conversation that took
/// several texts (text/chat/turns.h) gives a row for each. Rows that `fit` does not keep are left
/// out; errors are its own.
std::vector<TokenizedExample> tokenize(const std::vector<Example>& examples,
                                       const Tokenizer& tokenizer, RowFit& fit);

}  // namespace alambic
