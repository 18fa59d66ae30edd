// A server's JSON, read by types.
#pragma once

#include <fmt/format.h>
#include <simdjson.h>

#include <string>
#include <string_view>

#include "alambic/remote/token_grades.h"

namespace alambic {

/// Calls read(root); what it does not find as it should be is a MalformedReply.
template <class Read>
auto read_reply(const std::string& body, Read read) {
  simdjson::dom::parser parser;
  try {
    const simdjson::dom::element root = parser.parse(body);
    return read(root);
  } catch (const simdjson::simdjson_error& error) {
    throw MalformedReply(fmt::format("a reply that is not as it should be: {}", error.what()));
  }
}

/// A whole number of 32 bits.
inline int32_t token_id(simdjson::dom::element value) {
  const int64_t id = value.get_int64();
  if (id < 0 || id > INT32_MAX) throw MalformedReply(fmt::format("token {}", id));
  return static_cast<int32_t>(id);
}

inline float log_probability(simdjson::dom::element value) {
  return static_cast<float>(value.get_double().value());
}

}  // namespace alambic
