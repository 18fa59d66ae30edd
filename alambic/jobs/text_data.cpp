#include "alambic/jobs/text_data.h"

namespace alambic {

std::vector<int32_t> read_tokens(const std::string& file, const Tokenizer& tokenizer) {
  const std::vector<Example> rows = read_examples(file, {{"text"}});
  const bool documents = !file.ends_with(".txt") && tokenizer.eos();
  std::vector<int32_t> tokens;
  for (const Example& row : rows) {
    const std::vector<int32_t> ids = tokenizer.encode(*row.text);
    tokens.insert(tokens.end(), ids.begin(), ids.end());
    if (documents) tokens.push_back(*tokenizer.eos());
  }
  return tokens;
}

}  // namespace alambic
