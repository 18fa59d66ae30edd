#include "alambic/text/tokenizer/stream_decoder.h"

namespace alambic {

// A character has at most four bytes and so at most four tokens; tokens that stay broken longer
// than this are given out as they are.
constexpr size_t longest_wait = 8;

std::string StreamDecoder::push(int32_t id) {
  if (skip_special_ && tokenizer_->is_special(id)) return "";
  window_.push_back(id);
  return take(window_.size() - given_ > longest_wait);
}

std::string StreamDecoder::finish() {
  std::string rest = take(true);
  window_.clear();
  given_ = 0;
  return rest;
}

std::string StreamDecoder::take(bool all) {
  const std::string before = tokenizer_->decode(std::span(window_).first(given_), skip_special_);
  const std::string after = tokenizer_->decode(window_, skip_special_);
  if (after.size() <= before.size()) return "";
  if (!all && after.ends_with("\xEF\xBF\xBD")) return "";
  window_.erase(window_.begin(), window_.begin() + static_cast<std::ptrdiff_t>(given_));
  given_ = window_.size();
  return after.substr(before.size());
}

}  // namespace alambic
