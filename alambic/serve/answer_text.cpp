#include "alambic/serve/answer_text.h"

#include <algorithm>

#include "alambic/base/byte_text.h"

namespace alambic {

namespace {

// Enough that a decoder knows that text precedes: characters end within.
constexpr size_t prompt_window = 16;

}  // namespace

AnswerText::AnswerText(const Tokenizer& tokenizer, std::span<const int32_t> prompt,
                       std::vector<std::string> stops, bool skip_special)
    : decoder_(tokenizer, skip_special), stops_(std::move(stops)) {
  for (const int32_t id : prompt.last(std::min(prompt.size(), prompt_window))) decoder_.push(id);
}

std::string AnswerText::push(int32_t id) {
  if (stopped_by_) return "";
  held_ += decoder_.push(id);
  return settle(false);
}

std::string AnswerText::finish() {
  if (stopped_by_) return "";
  held_ += decoder_.finish();
  return settle(true);
}

std::string AnswerText::settle(bool all) {
  size_t first = std::string::npos;
  for (const std::string& stop : stops_) {
    const size_t at = held_.find(stop);
    if (at >= first) continue;
    first = at;
    stopped_by_ = stop;
  }
  size_t settled = held_.size();
  if (stopped_by_) {
    settled = first;
  } else if (!all) {
    // The longest end of the text that begins a stop string waits.
    for (const std::string& stop : stops_) {
      for (size_t length = std::min(stop.size() - 1, held_.size()); length > 0; --length) {
        if (!held_.ends_with(std::string_view(stop).substr(0, length))) continue;
        settled = std::min(settled, held_.size() - length);
        break;
      }
    }
  }
  const std::string text = held_.substr(0, settled);
  held_.erase(0, settled);
  return text;
}

std::string token_bytes(const Tokenizer& tokenizer, int32_t id) {
  const std::optional<std::string> bytes = tokenizer.bytes_of(id);
  return bytes && !tokenizer.is_special(id) && !bytes->empty() ? *bytes : tokenizer.token_of(id);
}

std::string token_text(const Tokenizer& tokenizer, int32_t id) {
  return byte_text(token_bytes(tokenizer, id));
}

}  // namespace alambic
