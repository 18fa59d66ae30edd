#include "alambic/text/data/data_sources.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

#include "alambic/base/error.h"
#include "alambic/base/file_system.h"

namespace alambic {

namespace {

std::optional<double> number_of(std::string_view text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return {};
  return number;
}

DataSource parse(const std::string& word) {
  const size_t equals = word.rfind('=');
  if (equals == word.npos || equals == 0 || path_exists(word)) return {.name = word};
  const auto weight = number_of(std::string_view(word).substr(equals + 1));
  if (!weight) return {.name = word};
  if (!std::isfinite(*weight) || *weight <= 0) {
    throw input_error("--data {}: a weight is a number above 0, found {}", word,
                      word.substr(equals + 1))
        .with_hint("leave out what is not to be learned");
  }
  return {.name = word.substr(0, equals), .weight = *weight};
}

}  // namespace

std::vector<DataSource> parse_data_sources(const std::vector<std::string>& words) {
  std::vector<DataSource> sources;
  for (const std::string& word : words) {
    DataSource source = parse(word);
    if (std::ranges::find(sources, source.name, &DataSource::name) != sources.end()) {
      throw input_error("--data: {} is given twice", source.name);
    }
    sources.push_back(std::move(source));
  }
  const auto weighted =
      std::ranges::count_if(sources, [](const DataSource& source) { return source.weight > 0; });
  if (weighted > 0 && weighted < std::ssize(sources)) {
    const auto bare = std::ranges::find(sources, 0, &DataSource::weight);
    throw input_error("--data: {} has no weight, but others have one", bare->name)
        .with_hint(bare->name + "=1, or no weights at all: then every row comes once an epoch");
  }
  return sources;
}

}  // namespace alambic
