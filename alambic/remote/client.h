// Requests to one server: sent side by side, paced, tried again, paid for from a budget.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "alambic/remote/budget.h"
#include "alambic/remote/endpoint.h"
#include "alambic/remote/pace.h"
#include "alambic/remote/retry.h"

namespace alambic {

struct ClientOptions {
  double seconds = 600;  ///< of one try, to the last byte of its reply
  int64_t retries = 5;
  int64_t tokens_in_flight = 65536;
  int64_t connections = 64;
  std::string key_header = "Authorization: Bearer ";
  std::vector<std::string> headers = {};
  std::function<void(double)> sleep = {};  ///< in place of waiting, for tests; null: the clock's
};

/// What the server said to a request, and how it came about.
struct Answer {
  const std::string& body;
  const std::map<std::string, std::string>& headers;
  double seconds = 0;
  int64_t attempts = 1;
};

/// One request.
struct Exchange {
  std::string route, body;                  ///< an empty body: a GET
  Usage most;                               ///< what it costs at most
  int64_t parts = 1;                        ///< that could be asked for one by one
  uint64_t max_bytes = uint64_t{16} << 20;  ///< of the reply
  /// Takes the answer, and says what it cost. Throws MalformedReply (remote/token_grades.h) for one
  /// that does not say what it should.
  std::function<Usage(const Answer&)> read;
  /// Told in place of an error that a request without parts is longer than the model's context,
  /// with the one that the server names (0: none).
  std::function<void(int64_t context)> too_long = {};
};

/// Not for several threads.
class Client {
 public:
  Client(Endpoint endpoint, std::shared_ptr<const Secret> key, ClientOptions options,
         std::shared_ptr<Budget> budget);

  /// Sends all and reads all replies, in any order. Returns the numbers of those that the server
  /// refused as they are and that have parts: none of their parts has been read. Errors: exit 75
  /// where the server is too busy, gone or speaks nonsense after all tries, where the budget would
  /// be exceeded, and where a text is longer than the model's context; exit 3 for a key, a quota or
  /// a redirect; exit 2 for a request that the server will never answer. Replies to what was under
  /// way are read before.
  std::vector<size_t> run(std::span<const Exchange> exchanges);

  const Endpoint& endpoint() const { return endpoint_; }
  void use_model(const std::string& model) { endpoint_.model = model; }
  const Budget& budget() const { return *budget_; }
  /// Counts what an earlier part of the run has spent.
  void take_over(const Usage& spent) { budget_->add(spent); }
  /// Requests sent, tries included.
  int64_t sent() const { return sent_; }

 private:
  friend struct ClientRun;
  Endpoint endpoint_;
  std::shared_ptr<const Secret> key_;
  ClientOptions options_;
  std::shared_ptr<Budget> budget_;
  Pace pace_;
  CircuitBreaker breaker_;
  std::unique_ptr<HttpPool> pool_;
  int64_t sent_ = 0;
};

}  // namespace alambic
