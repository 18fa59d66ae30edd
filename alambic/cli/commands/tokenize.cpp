#include <fmt/core.h>

#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "alambic/base/error.h"
#include "alambic/cli/commands/tokenize_options.h"
#include "alambic/cli/run.h"
#include "alambic/text/tokenizer/load_tokenizer.h"

namespace alambic {
namespace {

// Source of texts, and the line last read, for errors.
struct Input {
  std::istream& stream;
  std::string name;
  int64_t line = 0;

  bool next(std::string& text) {
    ++line;
    return static_cast<bool>(std::getline(stream, text));
  }
};

void encode_text(const Tokenizer& tokenizer, const std::string& text, bool add_special) {
  fmt::print("{}\n", nlohmann::json(tokenizer.encode(text, add_special)).dump());
}

void encode_input(const Tokenizer& tokenizer, Input& input, const TokenizeOptions& options) {
  if (!options.lines) {
    const std::string text(std::istreambuf_iterator<char>(input.stream), {});
    return encode_text(tokenizer, text, !options.no_special);
  }
  for (std::string text; input.next(text);) encode_text(tokenizer, text, !options.no_special);
}

std::vector<int32_t> ids_of(const std::string& text, const Input& input) {
  const auto array = nlohmann::json::parse(text, nullptr, false);
  bool good = array.is_array();
  std::vector<int32_t> ids;
  for (const auto& id : good ? array : nlohmann::json::array()) {
    const int64_t value = id.is_number_integer() ? id.get<int64_t>() : -1;
    good = good && value >= 0 && value <= std::numeric_limits<int32_t>::max();
    ids.push_back(static_cast<int32_t>(value));
  }
  if (good) return ids;
  throw input_error("{}:{}: expected a JSON array of token ids, found '{:.60}'", input.name,
                    input.line, text)
      .with_hint("one array per line, as `alambic tokenize --lines` prints them");
}

void decode_input(const Tokenizer& tokenizer, Input& input, const TokenizeOptions& options) {
  for (std::string text; input.next(text);) {
    fmt::print("{}\n", tokenizer.decode(ids_of(text, input), options.no_special));
  }
}

}  // namespace

int run(const TokenizeOptions& options) {
  std::ifstream file(options.file, std::ios::binary);
  if (!options.file.empty() && !file) throw input_error("cannot read {}", options.file);
  std::ios::sync_with_stdio(false);  // several times faster, and only std::cin reads here
  Input input{options.file.empty() ? std::cin : file,
              options.file.empty() ? "standard input" : options.file};
  const Tokenizer tokenizer = load_tokenizer(options.model);
  if (options.decode) {
    decode_input(tokenizer, input, options);
  } else {
    encode_input(tokenizer, input, options);
  }
  return 0;
}

}  // namespace alambic
