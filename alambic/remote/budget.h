// What a run may spend at servers.
#pragma once

#include <cstdint>
#include <string>

namespace alambic {

struct Usage {
  int64_t input_tokens = 0, output_tokens = 0;

  Usage& operator+=(const Usage& more) {
    input_tokens += more.input_tokens;
    output_tokens += more.output_tokens;
    return *this;
  }
  bool operator==(const Usage&) const = default;
};

/// Prices of a million tokens, in any currency.
struct Prices {
  double input = 0, output = 0;

  double of(const Usage& usage) const {
    return (input * static_cast<double>(usage.input_tokens) +
            output * static_cast<double>(usage.output_tokens)) /
           1e6;
  }
};

/// Prices by an option's text. An input error: anything but IN,OUT; "" is 0,0.
Prices parse_prices(const std::string& option, const std::string& text);

/// Money and tokens: what is asked for is reserved before it is sent and settled by what the server
/// counts, so that the limit holds with any number of requests under way.
class Budget {
 public:
  /// 0: no limit.
  Budget(double money, int64_t tokens, Prices prices)
      : money_(money), tokens_(tokens), prices_(prices) {}

  /// Whether so much more may be spent; if so it is held back.
  bool reserve(const Usage& most) {
    Usage all = spent_;
    all += reserved_;
    all += most;
    if (money_ > 0 && prices_.of(all) > money_) return false;
    if (tokens_ > 0 && all.input_tokens + all.output_tokens > tokens_) return false;
    reserved_ += most;
    return true;
  }
  /// Gives back what was reserved, and counts what was used.
  void settle(const Usage& reserved, const Usage& used) {
    reserved_.input_tokens -= reserved.input_tokens;
    reserved_.output_tokens -= reserved.output_tokens;
    spent_ += used;
  }
  /// What an earlier part of the run has spent.
  void add(const Usage& before) { spent_ += before; }

  const Usage& spent() const { return spent_; }
  double cost() const { return prices_.of(spent_); }
  const Prices& prices() const { return prices_; }
  double money() const { return money_; }
  int64_t tokens() const { return tokens_; }

 private:
  double money_;
  int64_t tokens_;
  Prices prices_;
  Usage spent_, reserved_;
};

}  // namespace alambic
