// Address of a server that grades or writes.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "alambic/base/secret.h"

namespace alambic {

/// https://host[:port][/path][/v1][#model]
struct Endpoint {
  std::string scheme, host;
  int port = 0;
  std::string path;   ///< before the routes, without /v1 and a slash at its end
  std::string model;  ///< the server's name of the model; "": its only one

  bool operator==(const Endpoint&) const = default;
  /// "https://host:port/path" + route.
  std::string url(std::string_view route) const;
  /// As it was given, in one form: scheme, host, port where it is not the scheme's, path, model.
  std::string name() const;
  /// Whether the host is this machine.
  bool is_loopback() const;
  /// … or of a private network by its number (RFC 1918).
  bool is_private() const;
};

/// Whether a teacher or judge is named by address.
bool is_endpoint(std::string_view text);

/// Input errors: a user or a password, a query, a port that is none, no host.
Endpoint parse_endpoint(const std::string& text);

/// Variable that a host's key is looked for in when no other is named: ALAMBIC_KEY_API_OPENAI_COM.
std::string key_variable(const Endpoint& endpoint);

/// The key for an endpoint: of `file`, else of `variable`, else of key_variable(); null where there
/// is none. Input errors: a file or a variable that was named and has none; a key that would travel
/// without encryption to another machine.
std::shared_ptr<const Secret> key_of(const Endpoint& endpoint, const std::string& variable,
                                     const std::string& file);

}  // namespace alambic
