// What the listener hands to the server and gets back. The listener knows sockets, the server does
// not.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace alambic {

struct ServerRequest {
  std::string method;  ///< "GET", "POST", …
  std::string path;    ///< without the query, percent signs decoded
  std::string body;
  std::string accept, authorization, host;  ///< headers of these names; "" where there are none
  /// Value of a name in the query; nothing where it is not there.
  std::function<std::optional<std::string>(const char* name)> query;
};

struct HttpAnswer {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers = {};
};

/// An answer that is still being made. The listener's thread alone calls it, after each wake, and
/// destroys it when it was sent or its client has left.
class PendingAnswer {
 public:
  virtual ~PendingAnswer() = default;
  /// Whether it is read part by part (text/event-stream) or comes whole.
  virtual bool streams() const = 0;
  /// The whole answer, or nothing yet.
  virtual std::optional<HttpAnswer> whole() = 0;
  /// Appends what is new of a stream, maybe nothing; false: that was its end.
  virtual bool read(std::string& out) = 0;
  /// The client has left: nothing more is wanted. From any thread.
  virtual void cancel() = 0;
};

/// Tells the listener that there may be more of a pending answer. From any thread, at any time,
/// also after the answer is gone.
using Wake = std::function<void()>;
using HttpReply = std::variant<HttpAnswer, std::unique_ptr<PendingAnswer>>;
/// What answers calls: by itself before a body is read (an answer refuses it), and then by a reply.
struct HttpService {
  std::function<std::optional<HttpAnswer>(const ServerRequest&)> refuse;
  std::function<HttpReply(const ServerRequest&, Wake)> reply;
};

}  // namespace alambic
