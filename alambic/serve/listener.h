// The HTTP side of the server: connections, bodies with a limit, streams that wait for their next
// part, and clients that leave. libmicrohttpd does the work; nothing outside of listener.cpp knows.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "alambic/serve/http_messages.h"

namespace alambic {

struct ListenerOptions {
  std::string host = "127.0.0.1";  ///< an address of this machine, or "localhost"
  int64_t port = 8000;             ///< 0: any that is free
  int64_t body_bytes = 32 << 20;   ///< most of a request's body; a longer one gets 413
  int64_t connections = 1024;      ///< most at a time
  int64_t timeout_seconds = 120;   ///< of a client that neither sends nor reads
};

/// Answers calls from construction to destruction, on a thread of its own.
class Listener {
 public:
  /// Input errors: an address that is none. Environment errors: one that is taken, no library.
  Listener(const ListenerOptions& options, HttpService service);
  /// Ends all connections, those in the middle of an answer too.
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  int64_t port() const;
  /// Takes no more connections; those that are open go on.
  void close_door();
  /// Calls that are being answered.
  int64_t open_calls() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace alambic
