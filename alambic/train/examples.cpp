#include "alambic/train/examples.h"

#include <algorithm>

#include "alambic/base/error.h"
#include "alambic/text/chat/chat_tokens.h"

namespace alambic {

namespace {

// A conversation of which all completions are learned. The first token has nothing before it to be
// learned from, and what follows the last completion is not needed.
TokenizedExample all_completions(const Example& example, const Tokenizer& tokenizer) {
  MaskedTokens tokens = learned_ids(tokenizer, example.chat->written);
  if (!tokens.learned.empty()) tokens.learned[0] = false;
  const auto first = std::ranges::find(tokens.learned, true);
  const auto last = std::find(tokens.learned.rbegin(), tokens.learned.rend(), true).base();
  if (first == tokens.learned.end()) return {};
  const auto begin = tokens.ids.begin() + (first - tokens.learned.begin());
  const auto end = tokens.ids.begin() + (last - tokens.learned.begin());
  TokenizedExample row{.prompt = {tokens.ids.begin(), begin}};
  row.completion.emplace(begin, end);
  if (std::find(first, last, false) != last) row.learned.assign(first, last);
  return row;
}

TokenizedExample tokenize(const Example& example, const Tokenizer& tokenizer) {
  const bool all = example.chat && !example.chat->written.learned.empty();
  TokenizedExample row;
  if (all) {
    row = all_completions(example, tokenizer);
  } else {
    row.prompt = prompt_ids(tokenizer, example);
    if (example.chat ? !example.chat->written.completion.empty() : example.completion.has_value()) {
      row.completion = completion_ids(tokenizer, example);
    }
  }
  row.chat = example.chat;
  return row;
}

}  // namespace

std::vector<TokenizedExample> tokenize(const std::vector<Example>& examples,
                                       const Tokenizer& tokenizer, int64_t positions,
                                       const std::string& file) {
  std::vector<TokenizedExample> rows;
  rows.reserve(examples.size());
  for (const Example& example : examples) {
    TokenizedExample row = tokenize(example, tokenizer);
    const auto prompt_length = static_cast<int64_t>(row.prompt.size());
    if (row.prompt.empty()) throw input_error("{}:{}: the prompt is empty", file, example.line);
    if (prompt_length >= positions) {
      throw input_error(
          "{}:{}: the prompt has {} tokens, but the model's context is {} and the completion needs "
          "room",
          file, example.line, prompt_length, positions)
          .with_hint("shorten or remove this row");
    }
    if (row.completion) {
      if (row.completion->empty()) {
        throw input_error("{}:{}: the completion is empty", file, example.line)
            .with_hint("the tokenizer names no end-of-text token that could be learned instead");
      }
      const auto length = prompt_length + static_cast<int64_t>(row.completion->size());
      if (length > positions) {
        throw input_error(
            "{}:{}: prompt and completion have {} tokens together, but the model's context is {}",
            file, example.line, length, positions)
            .with_hint("shorten or remove this row");
      }
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace alambic
