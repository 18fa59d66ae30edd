#include "alambic/train/examples.h"

#include <algorithm>

#include "alambic/text/chat/chat_tokens.h"

namespace alambic {

namespace {

// A text of a conversation of which all completions are learned. The first token has nothing before
// it to be learned from, and what follows the last completion is not needed.
TokenizedExample all_completions(const LearnedText& text, const Tokenizer& tokenizer) {
  MaskedTokens tokens = learned_ids(tokenizer, text);
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

// An example, or one of the texts that its conversation took.
struct Part {
  const Example& example;
  const LearnedText* text = nullptr;
};

std::vector<Part> parts_of(const std::vector<Example>& examples) {
  std::vector<Part> parts;
  for (const Example& example : examples) {
    if (!example.chat || example.chat->written.texts.empty()) parts.push_back({example});
    if (!example.chat) continue;
    for (const LearnedText& text : example.chat->written.texts) parts.push_back({example, &text});
  }
  return parts;
}

TokenizedExample tokenize(const Example& example, const LearnedText* text,
                          const Tokenizer& tokenizer) {
  TokenizedExample row;
  if (text != nullptr) {
    row = all_completions(*text, tokenizer);
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
  for (const auto& [example, text] : parts_of(examples)) {
    TokenizedExample row = tokenize(example, text, tokenizer);
    if (fit.fit(example.place, row)) rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace alambic
