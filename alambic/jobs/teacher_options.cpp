#include "alambic/jobs/teacher_options.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "alambic/base/error.h"
#include "alambic/base/file_system.h"
#include "alambic/base/files.h"
#include "alambic/base/names.h"
#include "alambic/remote/endpoint.h"

namespace alambic {

NamedFolder parse_teacher(const std::string& text) {
  const size_t equals = text.find('=');
  if (equals == text.npos || is_endpoint(text) || path_exists(text))
    return {.name = "", .folder = text};
  if (equals == 0 || equals + 1 == text.size()) {
    throw input_error("--teacher {}: expected NAME=FOLDER, or a folder alone", text);
  }
  return {.name = text.substr(0, equals), .folder = text.substr(equals + 1)};
}

namespace {

std::vector<std::string> names_of(const std::vector<NamedFolder>& teachers) {
  std::vector<std::string> names;
  for (const NamedFolder& teacher : teachers) names.push_back(teacher.name);
  return names;
}

}  // namespace

std::vector<NamedFolder> parse_teachers(const std::vector<std::string>& texts) {
  std::vector<NamedFolder> teachers;
  for (const std::string& text : texts) teachers.push_back(parse_teacher(text));
  for (const NamedFolder& teacher : teachers) {
    if (teachers.size() > 1 && teacher.name.empty()) {
      throw input_error("--teacher {}: of several teachers each needs a name", teacher.folder)
          .with_hint("write --teacher NAME=" + teacher.folder);
    }
    if (std::ranges::count(names_of(teachers), teacher.name) > 1) {
      throw input_error("two teachers are called '{}'", teacher.name);
    }
  }
  return teachers;
}

namespace {

double parse_share(const std::string& text, std::string_view number) {
  double share = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), share);
  if (error != std::errc() || end != number.data() + number.size() || !(share > 0 && share <= 1)) {
    throw input_error("--teacher-weight {}: expected NAME=SHARE with a share above 0, at most 1",
                      text);
  }
  return share;
}

}  // namespace

std::vector<double> parse_shares(const std::vector<std::string>& shares,
                                 const std::vector<NamedFolder>& teachers) {
  if (shares.empty()) return {};
  const std::vector<std::string> names = names_of(teachers);
  std::vector<double> values(teachers.size(), 0);
  for (const std::string& text : shares) {
    const size_t equals = std::min(text.find('='), text.size());
    const std::string name = text.substr(0, equals);
    const auto place = std::ranges::find(names, name);
    if (name.empty() || place == names.end()) {
      throw input_error("--teacher-weight {}: no teacher is called '{}'; there are: {}", text, name,
                        join(names));
    }
    values[place - names.begin()] =
        parse_share(text, std::string_view(text).substr(std::min(equals + 1, text.size())));
  }
  double sum = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    if (values[i] == 0) {
      throw input_error("--teacher-weight gives no share to teacher '{}'", names[i])
          .with_hint("leave the teacher out, or give every teacher a share");
    }
    sum += values[i];
  }
  if (std::abs(sum - 1) > 1e-6) {
    throw input_error("the shares of --teacher-weight sum to {}, expected 1", sum);
  }
  return values;
}

}  // namespace alambic
