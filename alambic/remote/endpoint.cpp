#include "alambic/remote/endpoint.h"

#include <algorithm>
#include <cctype>
#include <charconv>

#include "alambic/base/error.h"

namespace alambic {
namespace {

int default_port(const std::string& scheme) { return scheme == "https" ? 443 : 80; }

Error bad_address(const std::string& text, const std::string& what) {
  return input_error("{}: {}; expected https://host[:port][/v1][#model]", redacted(text), what);
}

int parse_port(const std::string& text, std::string_view digits) {
  int port = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (error != std::errc() || end != digits.data() + digits.size() || port < 1 || port > 65535) {
    throw bad_address(text, fmt::format("'{}' is no port", digits));
  }
  return port;
}

bool is_host_character(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
         std::string_view("-._~:[]").find(c) != std::string_view::npos;
}

}  // namespace

bool is_endpoint(std::string_view text) {
  return text.starts_with("http://") || text.starts_with("https://");
}

Endpoint parse_endpoint(const std::string& text) {
  Endpoint endpoint;
  std::string rest = text;
  const size_t hash = rest.find('#');
  if (hash != rest.npos) {
    endpoint.model = rest.substr(hash + 1);
    rest.resize(hash);
  }
  const size_t colon = rest.find("://");
  if (!is_endpoint(rest)) throw bad_address(text, "no address");
  endpoint.scheme = rest.substr(0, colon);
  rest.erase(0, colon + 3);
  if (rest.find('?') != rest.npos) throw bad_address(text, "an address with a query");
  const size_t slash = std::min(rest.find('/'), rest.size());
  std::string place = rest.substr(0, slash);
  if (place.find('@') != place.npos) {
    throw input_error("an address with a user or a password: keys are no part of an address")
        .with_hint("--teacher-key-env VARIABLE or --teacher-key-file FILE");
  }
  endpoint.path = rest.substr(slash);
  while (endpoint.path.ends_with('/')) endpoint.path.pop_back();
  if (endpoint.path.ends_with("/v1")) endpoint.path.resize(endpoint.path.size() - 3);
  endpoint.port = default_port(endpoint.scheme);
  const size_t bracket = place.rfind(']'), last = place.rfind(':');
  if (last != place.npos && (bracket == place.npos || last > bracket)) {
    endpoint.port = parse_port(text, std::string_view(place).substr(last + 1));
    place.resize(last);
  }
  std::ranges::transform(place, place.begin(), [](unsigned char c) { return std::tolower(c); });
  if (place.empty() || !std::ranges::all_of(place, is_host_character)) {
    throw bad_address(text, "no host");
  }
  endpoint.host = place;
  return endpoint;
}

std::string Endpoint::url(std::string_view route) const {
  return fmt::format("{}://{}:{}{}{}", scheme, host, port, path, route);
}

std::string Endpoint::name() const {
  const std::string of_port = port == default_port(scheme) ? "" : fmt::format(":{}", port);
  return fmt::format("{}://{}{}{}{}{}", scheme, host, of_port, path, model.empty() ? "" : "#",
                     model);
}

bool Endpoint::is_loopback() const {
  return host == "localhost" || host == "[::1]" || host.starts_with("127.");
}

bool Endpoint::is_private() const {
  if (is_loopback() || host.starts_with("10.") || host.starts_with("192.168.")) return true;
  int second = -1;
  const std::string_view rest = std::string_view(host).substr(std::min<size_t>(4, host.size()));
  std::from_chars(rest.data(), rest.data() + rest.size(), second);
  return host.starts_with("172.") && second >= 16 && second < 32;
}

std::string key_variable(const Endpoint& endpoint) {
  std::string name = "ALAMBIC_KEY_";
  for (const char c : endpoint.host) {
    const auto byte = static_cast<unsigned char>(c);
    name += std::isalnum(byte) != 0 ? static_cast<char>(std::toupper(byte)) : '_';
  }
  return name;
}

std::shared_ptr<const Secret> key_of(const Endpoint& endpoint, const std::string& variable,
                                     const std::string& file) {
  std::shared_ptr<const Secret> key;
  if (!file.empty()) {
    key = secret_of_file(file);
  } else {
    const std::string name = variable.empty() ? key_variable(endpoint) : variable;
    key = secret_of_environment(name);
    if (!key && !variable.empty()) {
      throw input_error("the environment has no {}, which should hold the key of {}", variable,
                        endpoint.host);
    }
  }
  if (key && endpoint.scheme == "http" && !endpoint.is_loopback()) {
    throw input_error("a key would travel to {} without encryption", endpoint.host)
        .with_hint("https://, or an encrypted tunnel to this machine (ssh -L)");
  }
  return key;
}

}  // namespace alambic
