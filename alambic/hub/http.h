#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace alambic {

struct HttpRequest {
  std::string url;         ///< http:// or https://
  std::string token = {};  ///< sent as a bearer token, to the first host only
  uint64_t from = 0;       ///< byte from which on the body is wanted
};

struct HttpReply {
  long status = 0;      ///< status of the last reply; 0: none came
  std::string failure;  ///< libcurl's words for a transfer that did not come to its end
  /// Headers of every reply on the way, redirects included; names in lower case.
  std::vector<std::map<std::string, std::string>> headers;

  /// Value of a header in the first reply that has it; "" when none has.
  std::string header(const std::string& name) const;
};

/// Called with pieces of the body of a 2xx reply and that reply's status.
using HttpBody = std::function<void(long status, std::string_view piece)>;

/// A GET that follows redirects (to http only from http). Gives up when nothing comes for 30
/// seconds. Throws what `body` throws; an environment error when libcurl is missing.
HttpReply http_get(const HttpRequest& request, const HttpBody& body);

/// The text with everything but letters, digits, '-', '.', '_' and '~' as %XX.
std::string url_encoded(std::string_view text);

}  // namespace alambic
