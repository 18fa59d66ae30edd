#include "alambic/remote/client.h"

#include <algorithm>
#include <chrono>
#include <deque>
#include <optional>
#include <thread>

#include "alambic/base/error.h"
#include "alambic/base/log.h"
#include "alambic/base/random.h"
#include "alambic/remote/token_grades.h"

namespace alambic {
namespace {

double clock_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double unix_now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

// Waits of no request depend on another's.
double jitter(int64_t sent) {
  return uniform({.seed = 0x72657472, .stream = Stream::init, .step = static_cast<uint64_t>(sent)});
}

}  // namespace

Client::Client(Endpoint endpoint, std::shared_ptr<const Secret> key, ClientOptions options,
               std::shared_ptr<Budget> budget)
    : endpoint_(std::move(endpoint)),
      key_(std::move(key)),
      options_(std::move(options)),
      budget_(std::move(budget)),
      pace_(options_.tokens_in_flight) {}

/// One call of Client::run.
struct ClientRun {
  Client& client;
  std::span<const Exchange> exchanges;
  struct State {
    Attempts so_far;
    double ready = 0;  // of the steady clock
    bool told = false;
  };
  std::vector<State> states = std::vector<State>(exchanges.size());
  std::deque<size_t> waiting;
  std::vector<size_t> split;
  std::optional<Error> stop;  // the first reason; what is under way is still read

  std::vector<size_t> run() {
    for (size_t i = 0; i < exchanges.size(); ++i) waiting.push_back(i);
    HttpPool& pool = *client.pool_;
    while (pool.running() > 0 || (!stop && !waiting.empty())) {
      if (!stop) send();
      if (stop && pool.running() == 0) break;
      for (auto& [number, outcome] : pool.wait(pause())) take(number, outcome);
    }
    if (stop) throw *stop;
    return split;
  }

  static int64_t tokens_of(const Exchange& exchange) {
    return exchange.most.input_tokens + exchange.most.output_tokens;
  }

  // Until the next request may be sent.
  double pause() {
    if (stop || waiting.empty()) return 1;
    const double now = clock_now();
    double next = now + 1;
    for (const size_t i : waiting) next = std::min(next, states[i].ready);
    next = std::max(next, client.pace_.not_before());
    const double seconds = std::clamp(next - now, 0.001, 1.0);
    if (client.pool_->running() == 0 && client.options_.sleep) {
      // A test's clock: all is ready.
      client.options_.sleep(next - now);
      for (State& state : states) state.ready = 0;
      return 0;
    }
    // What is ready and does not go waits for room, which a reply makes.
    if (client.pool_->running() > 0) return next > now ? seconds : 1;
    std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
    return 0;
  }

  void send() {
    const double now = clock_now();
    for (size_t tried = waiting.size(); tried > 0; --tried) {
      const size_t number = waiting.front();
      const int64_t tokens = tokens_of(exchanges[number]);
      const auto most = static_cast<size_t>(client.options_.connections);
      const bool paced = client.options_.sleep || client.pace_.may_start(tokens, now);
      if (client.pool_->running() >= most || !paced) return;
      waiting.pop_front();
      if (states[number].ready > now) {
        waiting.push_back(number);
        continue;
      }
      if (!client.budget_->reserve(exchanges[number].most)) {
        waiting.push_front(number);
        stop = out_of_budget();
        return;
      }
      client.pace_.started(tokens);
      start(number);
    }
  }

  void start(size_t number) {
    const Exchange& exchange = exchanges[number];
    ++client.sent_;
    client.pool_->start(number, {.url = client.endpoint_.url(exchange.route),
                                 .body = exchange.body,
                                 .headers = client.options_.headers,
                                 .key_header = client.options_.key_header,
                                 .key = client.key_,
                                 .seconds = client.options_.seconds,
                                 .max_bytes = exchange.max_bytes,
                                 .direct = client.endpoint_.is_loopback()});
  }

  void take(size_t number, const HttpOutcome& outcome) {
    const Exchange& exchange = exchanges[number];
    State& state = states[number];
    ReplyFacts facts = facts_of(outcome, unix_now());
    Usage used;
    if (facts.kind == ReplyClass::good) {
      try {
        used = exchange.read({.body = outcome.body,
                              .headers = outcome.headers,
                              .seconds = outcome.seconds,
                              .attempts = 1 + state.so_far.failures + state.so_far.malformed});
      } catch (const MalformedReply& error) {
        facts = {.kind = ReplyClass::malformed, .says = redacted(error.what()).substr(0, 500)};
        used = exchange.most;  // it is paid for all the same
      }
    }
    client.budget_->settle(exchange.most, used);
    client.breaker_.see(facts);
    state.so_far.failures += facts.kind == ReplyClass::lost || facts.kind == ReplyClass::busy;
    state.so_far.malformed += facts.kind == ReplyClass::malformed;
    const Verdict verdict =
        decide(facts, state.so_far, exchange.parts, jitter(client.sent_),
               {.retries = client.options_.retries, .longest_wait = client.options_.seconds});
    pace(facts, tokens_of(exchange), verdict);
    follow(number, facts, verdict);
  }

  void pace(const ReplyFacts& facts, int64_t tokens, const Verdict& verdict) const {
    if (facts.kind == ReplyClass::busy) {
      client.pace_.refused(tokens, clock_now(), facts.wait ? verdict.seconds : 0);
    } else if (facts.kind == ReplyClass::good) {
      client.pace_.answered(tokens);
    } else {
      client.pace_.lost(tokens);
    }
  }

  void follow(size_t number, const ReplyFacts& facts, const Verdict& verdict) {
    const bool is_told = verdict.action != Action::split && exchanges[number].too_long;
    if (facts.kind == ReplyClass::too_long && is_told) {
      return exchanges[number].too_long(facts.context);
    }
    switch (verdict.action) {
      case Action::accept:
        return;
      case Action::wait:
        if (client.breaker_.open()) break;
        states[number].ready = clock_now() + verdict.seconds;
        waiting.push_back(number);
        if (verdict.seconds >= 10) {
          say("{}: {}; waiting {:.0f} s", client.endpoint_.name(), facts.says, verdict.seconds);
        }
        return;
      case Action::split:
        split.push_back(number);
        return;
      case Action::stop_resumable:
      case Action::stop_environment:
      case Action::stop_input:
        break;
    }
    if (!stop) stop = error_of(number, facts, verdict.action);
  }

  Error error_of(size_t number, const ReplyFacts& facts, Action action) const {
    const std::string name = client.endpoint_.name();
    const Attempts& so_far = states[number].so_far;
    if (action == Action::stop_environment) {
      const std::string hint =
          facts.kind == ReplyClass::redirect ? "name the address itself: redirects are not followed"
          : facts.kind == ReplyClass::quota
              ? "the account has no credit left or a limit of days; --resume goes on later"
              : "the key is read from the variable " + key_variable(client.endpoint_) +
                    ", or as --teacher-key-env or --teacher-key-file say";
      return environment_error("{}: {}", name, facts.says).with_hint(hint);
    }
    if (action == Action::stop_input) {
      return input_error("{} does not take the request: {}", name, facts.says);
    }
    if (facts.kind == ReplyClass::too_long) {
      return Error(Exit::stopped, fmt::format("{}: {}", name, facts.says),
                   "--resume goes on once the server is started with a longer context; a new run "
                   "with shorter texts needs none (--max-completion-length)");
    }
    const int64_t tries = so_far.failures + so_far.malformed;
    return Error(Exit::stopped, fmt::format("{}: {} (tried {} times)", name, facts.says, tries),
                 "--resume goes on from the last checkpoint once the server answers; no reply that "
                 "has come is asked for again");
  }

  Error out_of_budget() const {
    const Budget& budget = *client.budget_;
    const Usage& spent = budget.spent();
    return Error(
        Exit::stopped,
        fmt::format("{}: the budget does not allow the next request: {} tokens in and {} out have "
                    "cost {:.4g} of {}",
                    client.endpoint_.name(), spent.input_tokens, spent.output_tokens, budget.cost(),
                    budget.money() > 0 ? fmt::format("{:.4g}", budget.money())
                                       : fmt::format("{} tokens", budget.tokens())),
        "--resume with a larger --teacher-budget or --teacher-budget-tokens goes on");
  }
};

std::vector<size_t> Client::run(std::span<const Exchange> exchanges) {
  if (!pool_) pool_ = std::make_unique<HttpPool>(options_.connections);
  return ClientRun{.client = *this, .exchanges = exchanges}.run();
}

}  // namespace alambic
