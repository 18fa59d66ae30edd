#include "alambic/text/tokenizer/pattern.h"

#include "alambic/base/json_view.h"

namespace alambic {

Regex read_regex(const JsonView& json) {
  try {
    return Regex(json.string());
  } catch (const Error& error) {
    throw json.wrong(error.what());
  }
}

Pattern Pattern::read(const JsonView& json) {
  if (json.is_string()) return Pattern(std::string(json.string()));
  if (const auto text = json.find("String")) return Pattern(std::string(text->string()));
  if (const auto regex = json.find("Regex")) return Pattern(read_regex(*regex));
  throw json.wrong("expected {\"String\": …} or {\"Regex\": …}");
}

std::vector<Range> Pattern::find_all(std::string_view text) const {
  if (const auto* regex = std::get_if<Regex>(&what_)) return regex->find_all(text);
  const auto& wanted = std::get<std::string>(what_);
  std::vector<Range> ranges;
  if (wanted.empty()) return ranges;
  for (size_t i = text.find(wanted); i != text.npos; i = text.find(wanted, i + wanted.size())) {
    ranges.push_back({i, i + wanted.size()});
  }
  return ranges;
}

std::string Pattern::replace_all(std::string_view text, std::string_view content) const {
  std::string out;
  size_t done = 0;
  for (const Range& match : find_all(text)) {
    out += text.substr(done, match.begin - done);
    out += content;
    done = match.end;
  }
  out += text.substr(done);
  return out;
}

}  // namespace alambic
