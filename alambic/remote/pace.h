// How much of a server's work may be under way at a time.
#pragma once

#include <algorithm>
#include <cstdint>

namespace alambic {

/// Limit of tokens under way: it halves when the server says that it is too busy and grows by a
/// sixteenth of its greatest value with every 16 requests that are answered (additive increase,
/// multiplicative decrease). A single request may be larger. Times are seconds of any clock.
class Pace {
 public:
  explicit Pace(int64_t most_tokens) : most_(most_tokens), limit_(most_tokens) {}

  bool may_start(int64_t tokens, double now) const {
    return now >= not_before_ && (tokens_ == 0 || tokens_ + tokens <= limit_);
  }
  /// Time before which nothing is sent.
  double not_before() const { return not_before_; }

  void started(int64_t tokens) { tokens_ += tokens; }
  void answered(int64_t tokens) {
    tokens_ -= tokens;
    if (++answered_ % 16 == 0) limit_ = std::min(most_, limit_ + std::max<int64_t>(1, most_ / 16));
  }
  void lost(int64_t tokens) { tokens_ -= tokens; }
  /// Of requests that were under way together the first one halves the limit.
  void refused(int64_t tokens, double now, double wait) {
    tokens_ -= tokens;
    if (now >= halved_until_) limit_ = std::max<int64_t>(most_ / 256 + 1, limit_ / 2);
    halved_until_ = now + std::max(wait, 1.0);
    not_before_ = std::max(not_before_, now + wait);
  }
  int64_t limit() const { return limit_; }
  int64_t tokens() const { return tokens_; }

 private:
  int64_t most_, limit_, tokens_ = 0, answered_ = 0;
  double not_before_ = 0, halved_until_ = 0;
};

}  // namespace alambic
