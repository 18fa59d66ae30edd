#include "alambic/jobs/text_data.h"

namespace alambic {

std::vector<TokenSpool> read_tokens_by_source(const Dataset& data, const Tokenizer& tokenizer) {
  const Examples rows(data, {{"text"}});
  const bool documents = !data.rows.is_one_text() && tokenizer.eos();
  std::vector<TokenSpool> sources;
  size_t row = 0;
  for (const RowShare& share : data.rows.shares()) {
    TokenSpool& tokens = sources.emplace_back();
    for (int64_t i = 0; i < share.rows; ++i, ++row) {
      tokens.add(tokenizer.encode(*rows[row].text));
      if (documents) tokens.add(std::vector<int32_t>{*tokenizer.eos()});
    }
  }
  return sources;
}

TokenSpool read_tokens(const Dataset& data, const Tokenizer& tokenizer) {
  return std::move(read_tokens_by_source(data, tokenizer).front());
}

}  // namespace alambic
