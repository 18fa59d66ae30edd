// Many requests at once on one thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "alambic/base/secret.h"

namespace alambic {

/// One request. Redirects are not followed: a key and a body are for the host that was named.
struct PooledCall {
  std::string url;
  std::string body = {};                    ///< JSON of a POST; empty: a GET
  std::vector<std::string> headers = {};    ///< "name: value"
  std::string key_header = {};              ///< "x-api-key: " or "Authorization: Bearer "
  std::shared_ptr<const Secret> key = {};   ///< null: none
  double seconds = 600;                     ///< from the start to the last byte of the reply
  uint64_t max_bytes = uint64_t{64} << 20;  ///< of the reply's body, decompressed
  bool direct = false;                      ///< past a proxy of the environment
};

/// What came back.
struct HttpOutcome {
  long status = 0;      ///< 0: no reply came to its end
  std::string failure;  ///< why, in words without keys; "" where status says all
  bool timed_out = false, too_large = false;
  std::map<std::string, std::string> headers;  ///< names in lower case
  std::string body;
  double seconds = 0;
};

/// libcurl's multi interface. Not for several threads.
class HttpPool {
 public:
  /// At most so many connections to a host. An environment error when libcurl is missing.
  explicit HttpPool(int64_t connections);
  ~HttpPool();
  HttpPool(const HttpPool&) = delete;
  HttpPool& operator=(const HttpPool&) = delete;

  /// Begins a call; `number` names it to the caller.
  void start(size_t number, PooledCall call);
  /// Calls that ended, with their numbers; waits up to `seconds` for the first.
  std::vector<std::pair<size_t, HttpOutcome>> wait(double seconds);
  size_t running() const { return transfers_.size(); }

 private:
  struct Transfer;
  void finish(size_t place, int code, std::vector<std::pair<size_t, HttpOutcome>>& ended);

  void* multi_ = nullptr;
  std::vector<std::unique_ptr<Transfer>> transfers_;
};

}  // namespace alambic
