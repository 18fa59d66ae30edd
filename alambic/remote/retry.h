// What is to be done about a server's reply: a function of the reply alone, without clock or
// network.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "alambic/hub/http_pool.h"

namespace alambic {

/// What a reply means.
enum class ReplyClass {
  good,
  lost,       ///< no reply: refused, cut, timed out
  busy,       ///< too many requests, overloaded, unavailable, a fault of the server's
  malformed,  ///< a reply of success that does not say what it should
  too_long,   ///< the prompt does not fit into the model's context
  rejected,   ///< the request is not understood or not served
  key,        ///< no key, a wrong one, one without the right
  quota,      ///< out of credit or over a limit of days
  redirect
};

struct ReplyFacts {
  ReplyClass kind = ReplyClass::good;
  std::optional<double> wait;  ///< seconds that the server asks to wait
  int64_t context = 0;         ///< of one that is too long: the context it names; 0: it does not
  std::string says;            ///< status and the server's words: at most 500 bytes, without keys
};

/// Facts of a reply. `now`: seconds since 1970, for a Retry-After that is a date.
ReplyFacts facts_of(const HttpOutcome& outcome, double now);

/// Seconds that a reply asks to wait, by its headers: retry-after-ms, retry-after as a number or a
/// date of HTTP, then the rate limits' "reset" (1s, 6m0s, 20ms). Nothing where none says it.
std::optional<double> retry_after(const std::map<std::string, std::string>& headers, double now);

struct RetryLimits {
  int64_t retries = 5;        ///< tries after the first
  int64_t malformed = 1;      ///< tries after a malformed reply
  double longest_wait = 600;  ///< seconds; who asks for more is not waited for
};

/// What has been tried of a request.
struct Attempts {
  int64_t failures = 0;  ///< lost and busy
  int64_t malformed = 0;
};

enum class Action {
  accept,
  wait,              ///< try again after `seconds`
  split,             ///< send its parts one by one
  stop_resumable,    ///< the run must wait for a person or the server: exit 75
  stop_environment,  ///< key, quota, address: exit 3
  stop_input         ///< what was asked cannot be: exit 2
};

struct Verdict {
  Action action = Action::accept;
  double seconds = 0;
};

/// What to do after a reply, whose failure `so_far` counts already. `parts`: of the request.
/// `draw`: in [0, 1), for the wait: draw · min(30, 0.5 · 2ⁿ) seconds where the server names none.
Verdict decide(const ReplyFacts& facts, const Attempts& so_far, int64_t parts, double draw,
               const RetryLimits& limits);

/// Failures of a server, whatever was asked: after so many in a row it is left alone.
class CircuitBreaker {
 public:
  explicit CircuitBreaker(int64_t limit = 20) : limit_(limit) {}
  void see(const ReplyFacts& facts) {
    const bool failed = facts.kind == ReplyClass::lost || facts.kind == ReplyClass::busy;
    row_ = failed ? row_ + 1 : 0;
  }
  bool open() const { return row_ >= limit_; }

 private:
  int64_t limit_, row_ = 0;
};

}  // namespace alambic
