#include "alambic/text/data/answers.h"

#include <array>
#include <charconv>
#include <cstdlib>

#include "alambic/base/error.h"
#include "alambic/base/printable.h"
#include "alambic/text/data/json_text.h"

namespace alambic {

namespace {

// Digits as they are written, so that long integers keep all of theirs.
std::string number_text(std::string_view json) {
  if (json.find_first_of("eE") == json.npos) return std::string(json);
  std::array<char, 512> digits;
  const double number = std::strtod(std::string(json).c_str(), nullptr);
  const auto end =
      std::to_chars(digits.data(), digits.data() + digits.size(), number, std::chars_format::fixed);
  return {digits.data(), end.ptr};
}

void add(const std::string& place, std::string_view json, std::vector<std::string>& answers) {
  const char first = json.empty() ? '\0' : json.front();
  if (first == '"') {
    answers.push_back(json_unquoted(json));
  } else if (first == 't' || first == 'f') {
    answers.emplace_back(first == 't' ? "True" : "False");
    answers.emplace_back(first == 't' ? "true" : "false");
  } else if (first == '-' || (first >= '0' && first <= '9')) {
    answers.push_back(number_text(json));
  } else {
    throw input_error(
        "{}: field \"answer\": expected a string, a number, true or false, or a list of these, "
        "found {}",
        place, printable(json));
  }
}

}  // namespace

std::vector<std::string> read_answers(const std::string& place, std::string_view json) {
  std::vector<std::string> answers;
  if (!json.starts_with('[')) {
    add(place, json, answers);
    return answers;
  }
  for (const std::string_view entry : json_entries(json)) add(place, entry, answers);
  if (answers.empty()) {
    throw input_error("{}: field \"answer\": expected at least one accepted answer, found []",
                      place);
  }
  return answers;
}

}  // namespace alambic
