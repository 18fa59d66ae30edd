#pragma once

#include <optional>
#include <string>
#include <vector>

#include "alambic/text/dataset.h"
#include "alambic/text/tokenizer.h"

namespace alambic {

/// A row of a data set as token ids. The completion ends with the end-of-text token, which is
/// learnt and graded like any other.
struct TokenizedExample {
  std::vector<int32_t> prompt;
  std::optional<std::vector<int32_t>> completion;
};

/// Tokenizes prompts (with the tokenizer's special tokens) and completions (without, plus EOS).
/// Input errors name the file's line: an empty prompt, a prompt that leaves no room within
/// `positions`, a prompt with its completion longer than `positions`.
std::vector<TokenizedExample> tokenize(const std::vector<Example>& examples,
                                       const Tokenizer& tokenizer, int64_t positions,
                                       const std::string& file);

}  // namespace alambic
