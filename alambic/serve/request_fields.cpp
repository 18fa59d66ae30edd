#include "alambic/serve/request_fields.h"

#include <fmt/core.h>

namespace alambic {

namespace {

bool says_nothing(const JsonView& json) {
  const simdjson::dom::element element = json.element();
  switch (element.type()) {
    case simdjson::dom::element_type::ARRAY:
      return json.array().size() == 0;
    case simdjson::dom::element_type::OBJECT:
      return json.object().size() == 0;
    case simdjson::dom::element_type::STRING:
      return json.string().empty();
    case simdjson::dom::element_type::BOOL:
      return !json.boolean();
    case simdjson::dom::element_type::NULL_VALUE:
      return true;
    default:
      return json.number() == 0;
  }
}

}  // namespace

std::string RequestFields::with_hint(const Error& error) {
  return error.hint().empty() ? error.what() : fmt::format("{}; {}", error.what(), error.hint());
}

int64_t RequestFields::integer(std::string_view name, int64_t otherwise, int64_t low,
                               int64_t high) const {
  if (!json_.find(name)) return otherwise;
  return read(name, [&](const JsonView& json) { return json.integer(low, high); });
}

double RequestFields::number(std::string_view name, double otherwise, double low,
                             double high) const {
  if (!json_.find(name)) return otherwise;
  return read(name, [&](const JsonView& json) {
    const double value = json.number();
    if (value < low || value > high) {
      throw json.wrong(fmt::format("expected a number from {} to {}", low, high));
    }
    return value;
  });
}

bool RequestFields::flag(std::string_view name, bool otherwise) const {
  if (!json_.find(name)) return otherwise;
  return read(name, [](const JsonView& json) { return json.boolean(); });
}

std::string RequestFields::text(std::string_view name, const std::string& otherwise) const {
  if (!json_.find(name)) return otherwise;
  return read(name, [](const JsonView& json) { return std::string(json.string()); });
}

std::vector<int32_t> RequestFields::ids(std::string_view name, int64_t vocabulary) const {
  if (!json_.find(name)) return {};
  return read(name, [&](const JsonView& json) { return read_ids(json, vocabulary); });
}

void RequestFields::refuse(std::string_view name, std::string_view what) const {
  const std::optional<JsonView> json = json_.find(name);
  if (!json || says_nothing(*json)) return;
  refuse_field(name, what);
}

void refuse_field(std::string_view name, std::string_view what) {
  throw ApiError(400, fmt::format("'{}': {} is not supported by this server", name, what),
                 std::string(name), "unsupported_field");
}

std::vector<int32_t> read_ids(const JsonView& list, int64_t vocabulary) {
  std::vector<int32_t> ids;
  ids.reserve(list.array().size());
  for (const simdjson::dom::element element : list.array()) {
    int64_t id = -1;
    if (element.get_int64().get(id) != simdjson::SUCCESS || id < 0 || id >= vocabulary) {
      throw list.wrong(fmt::format("expected token ids from 0 to {}", vocabulary - 1));
    }
    ids.push_back(static_cast<int32_t>(id));
  }
  return ids;
}

JsonFile parse_request(std::string_view body) {
  try {
    JsonFile file = JsonFile::parse("the request", body);
    file.root().object();
    return file;
  } catch (const Error& error) {
    throw ApiError(400, RequestFields::with_hint(error));
  }
}

}  // namespace alambic
