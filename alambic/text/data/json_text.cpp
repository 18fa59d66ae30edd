#include "alambic/text/data/json_text.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "alambic/base/json_nan.h"

namespace alambic {

namespace {

constexpr std::string_view white = " \t\r\n";

size_t skip_white(std::string_view text, size_t at) {
  return std::min(text.find_first_not_of(white, at), text.size());
}

}  // namespace

size_t json_value_end(std::string_view text, size_t at, bool lines) {
  if (at >= text.size()) return text.size();
  if (text[at] == '"') return json_string_end(text, at);
  if (text[at] != '{' && text[at] != '[') {
    return std::min(text.find_first_of(",:]}{[\" \t\r\n", at + 1), text.size());
  }
  size_t depth = 0;
  for (size_t i = at; i < text.size();) {
    i = text.find_first_of(lines ? "\"{}[]\n\r" : "\"{}[]", i);
    if (i == text.npos) break;
    const char c = text[i];
    if (c == '\n' || c == '\r') return i;
    if (c == '"') {
      i = json_string_end(text, i);
      continue;
    }
    ++i;
    if (c == '{' || c == '[')
      ++depth;
    else if (--depth == 0)
      return i;
  }
  return text.size();
}

std::vector<JsonMember> json_members(std::string_view object) {
  std::vector<JsonMember> members;
  size_t at = skip_white(object, object.find('{') + 1);
  while (at < object.size() && object[at] == '"') {
    JsonMember member;
    const size_t name_end = json_string_end(object, at);
    member.name = object.substr(at, name_end - at);
    at = skip_white(object, skip_white(object, name_end) + 1);
    const size_t end = json_value_end(object, at);
    member.value = object.substr(at, end - at);
    members.push_back(member);
    at = skip_white(object, end);
    if (at < object.size() && object[at] == ',') at = skip_white(object, at + 1);
  }
  return members;
}

std::vector<std::string_view> json_entries(std::string_view list) {
  std::vector<std::string_view> entries;
  size_t at = skip_white(list, list.find('[') + 1);
  while (at < list.size() && list[at] != ']') {
    const size_t end = json_value_end(list, at);
    entries.push_back(list.substr(at, end - at));
    at = skip_white(list, end);
    if (at < list.size() && list[at] == ',') at = skip_white(list, at + 1);
  }
  return entries;
}

std::string json_string(std::string_view text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string json_unquoted(std::string_view quoted) {
  if (quoted.find('\\') == quoted.npos) return std::string(quoted.substr(1, quoted.size() - 2));
  const auto json = nlohmann::json::parse(quoted, nullptr, false);
  return json.is_string() ? json.get<std::string>() : std::string(quoted);
}

}  // namespace alambic
