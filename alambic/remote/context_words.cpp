#include "alambic/remote/context_words.h"

#include <algorithm>
#include <array>

#include "alambic/base/contains.h"

namespace alambic {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// The number that stands at most some characters behind; "32,768" is one. 0: none.
int64_t number_behind(std::string_view text) {
  constexpr size_t nearest = 24;
  constexpr int64_t most = int64_t{1} << 40;
  size_t at = 0;
  while (at < text.size() && at < nearest && !is_digit(text[at])) ++at;
  int64_t number = 0;
  for (; at < text.size() && number < most; ++at) {
    const bool separates = text[at] == ',' && number > 0 && at + 1 < text.size();
    if (separates && is_digit(text[at + 1])) continue;
    if (!is_digit(text[at])) break;
    number = 10 * number + (text[at] - '0');
  }
  return number < most ? number : 0;
}

// Words behind which the context stands, the most telling first.
constexpr std::array named_behind = {
    "maximum context length",    // OpenAI, vLLM, SGLang, DeepSeek, Fireworks
    "available context size",    // llama.cpp
    "maximum model length",      // vLLM
    "model's context length",    // SGLang
    "must be <=",                // text-generation-inference, Together
    "number of tokens allowed",  // Gemini
    "configured limit of",       // OpenAI
    " > ",                       // Anthropic: "prompt is too long: 208310 tokens > 200000 maximum"
};

}  // namespace

bool says_too_long(std::string_view codes, std::string_view message) {
  for (const char* code : {"context_length", "exceed_context_size"}) {
    if (contains(codes, code)) return true;
  }
  constexpr std::array phrases = {"maximum context length",
                                  "available context size",
                                  "maximum model length",
                                  "model's context length",
                                  "max_model_len",
                                  "exceed the configured limit",
                                  "prompt is too long",
                                  "exceed context limit",
                                  "exceeds the maximum number of tokens allowed"};
  if (std::ranges::any_of(phrases, [&](const char* p) { return contains(message, p); })) {
    return true;
  }
  return contains(message, "max_new_tokens") && contains(message, "must be <=");
}

int64_t context_named(std::string_view message) {
  for (const std::string_view words : named_behind) {
    const size_t at = message.find(words);
    if (at == message.npos) continue;
    if (const int64_t named = number_behind(message.substr(at + words.size()))) return named;
  }
  return 0;
}

}  // namespace alambic
