#include "alambic/train/examples.h"

#include <algorithm>

#include "alambic/base/error.h"
#include "alambic/text/chat/chat_tokens.h"

namespace alambic {

namespace {

// A conversation of which all answers are learnt. The first token has nothing before it to be
// learnt from, and what follows the last answer is not needed.
TokenizedExample all_answers(const Example& example, const Tokenizer& tokenizer) {
  MaskedTokens tokens = learnt_ids(tokenizer, example.chat->written);
  if (!tokens.learnt.empty()) tokens.learnt[0] = false;
  const auto first = std::ranges::find(tokens.learnt, true);
  const auto last = std::find(tokens.learnt.rbegin(), tokens.learnt.rend(), true).base();
  if (first == tokens.learnt.end()) return {};
  const auto begin = tokens.ids.begin() + (first - tokens.learnt.begin());
  const auto end = tokens.ids.begin() + (last - tokens.learnt.begin());
  TokenizedExample row{.prompt = {tokens.ids.begin(), begin}};
  row.completion.emplace(begin, end);
  if (std::find(first, last, false) != last) row.learnt.assign(first, last);
  return row;
}

TokenizedExample tokenize(const Example& example, const Tokenizer& tokenizer) {
  const bool all = example.chat && !example.chat->written.learnt.empty();
  TokenizedExample row;
  if (all) {
    row = all_answers(example, tokenizer);
  } else {
    row.prompt = prompt_ids(tokenizer, example);
    if (example.chat ? !example.chat->written.answer.empty() : example.completion.has_value()) {
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
          "{}:{}: the prompt has {} tokens, but the model's context is {} and the answer needs "
          "room",
          file, example.line, prompt_length, positions)
          .with_hint("shorten or remove this row");
    }
    if (row.completion) {
      if (row.completion->empty()) {
        throw input_error("{}:{}: the completion is empty", file, example.line)
            .with_hint("the tokenizer names no end-of-text token that could be learnt instead");
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
