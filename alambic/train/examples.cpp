#include "alambic/train/examples.h"

#include <algorithm>

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
                                       const Tokenizer& tokenizer, RowFit& fit) {
  std::vector<TokenizedExample> rows;
  rows.reserve(examples.size());
  for (const Example& example : examples) {
    TokenizedExample row = tokenize(example, tokenizer);
    if (fit.fit(example.place, row)) rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace alambic
