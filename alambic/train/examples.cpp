#include "alambic/train/examples.h"

#include "alambic/base/error.h"

namespace alambic {

std::vector<TokenizedExample> tokenize(const std::vector<Example>& examples,
                                       const Tokenizer& tokenizer, int64_t positions,
                                       const std::string& file) {
  std::vector<TokenizedExample> rows;
  rows.reserve(examples.size());
  for (const Example& example : examples) {
    TokenizedExample row{.prompt = tokenizer.encode(example.prompt)};
    const auto prompt_length = static_cast<int64_t>(row.prompt.size());
    if (row.prompt.empty()) throw input_error("{}:{}: the prompt is empty", file, example.line);
    if (prompt_length >= positions) {
      throw input_error(
          "{}:{}: the prompt has {} tokens, but the model's context is {} and the answer needs "
          "room",
          file, example.line, prompt_length, positions)
          .with_hint("shorten or remove this row");
    }
    if (example.completion) {
      row.completion = tokenizer.encode(*example.completion, /*add_special=*/false);
      if (tokenizer.eos()) row.completion->push_back(*tokenizer.eos());
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
