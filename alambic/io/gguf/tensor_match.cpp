// A tensor's place in an architecture's table, by its name on either side.
#include <algorithm>
#include <functional>

#include "alambic/io/gguf/architecture.h"
#include "alambic/io/gguf/parts.h"

namespace alambic {

namespace {

// "a.12.b" as "a.{}.b" and 12.
std::pair<std::string, std::vector<int64_t>> without_numbers(std::string_view name) {
  std::string pattern;
  std::vector<int64_t> numbers;
  while (!name.empty()) {
    const std::string_view part = name.substr(0, name.find('.'));
    const bool number =
        !part.empty() && part.size() <= 6 && part.find_first_not_of("0123456789") == part.npos;
    if (number) numbers.push_back(std::stoll(std::string(part)));
    pattern += number ? "{}" : part;
    name.remove_prefix(part.size());
    if (name.empty()) break;
    pattern += '.';
    name.remove_prefix(1);
  }
  return {pattern, numbers};
}

std::string_view suffix_of(std::string_view name) {
  for (const std::string_view suffix : {".weight", ".bias", ".scale"}) {
    if (name.ends_with(suffix)) return suffix;
  }
  return "";
}

// Whether the pattern of the name without `suffix` is the row's; `plain` is that of the whole name.
bool fits(const GgufTensorRow& row, const std::string& pattern, const std::string& plain,
          std::string_view suffix, bool in_gguf) {
  if (!row.suffix) {
    return (suffix == ".weight" || suffix == ".bias") && (in_gguf ? row.gguf : row.hf) == pattern;
  }
  return in_gguf ? row.gguf == pattern && *row.suffix == suffix : row.hf == plain;
}

std::vector<GgufTensorMatch> places_of(const GgufArchitecture& family, std::string_view name,
                                       bool in_gguf) {
  const std::string_view suffix = suffix_of(name);
  const auto [pattern, numbers] = without_numbers(name.substr(0, name.size() - suffix.size()));
  const std::string plain = without_numbers(name).first;
  std::vector<GgufTensorMatch> places;
  for (const GgufTensorRow& row : family.tensors) {
    if (!fits(row, pattern, plain, suffix, in_gguf)) continue;
    places.push_back({.row = &row,
                      .layer = numbers.empty() ? -1 : numbers[0],
                      .expert = numbers.size() < 2 ? -1 : numbers[1],
                      .suffix = std::string(row.suffix.value_or(suffix))});
  }
  return places;
}

std::string with_numbers(std::string_view pattern, int64_t layer, int64_t expert) {
  std::string name(pattern);
  for (const int64_t number : {layer, expert}) {
    const size_t at = name.find("{}");
    if (at != name.npos) name.replace(at, 2, std::to_string(number));
  }
  return name;
}

}  // namespace

std::string GgufTensorMatch::gguf_name() const {
  return with_numbers(row->gguf, layer, expert) + suffix;
}

std::string GgufTensorMatch::hf_name() const {
  return with_numbers(row->hf, layer, expert) + (row->suffix ? "" : suffix);
}

bool GgufTensorMatch::has_experts() const { return row->hf.find("{}") != row->hf.rfind("{}"); }

std::optional<GgufTensorMatch> place_of_gguf(const GgufArchitecture& family,
                                             std::string_view name) {
  const std::vector<GgufTensorMatch> places = places_of(family, name, /*in_gguf=*/true);
  return places.empty() ? std::nullopt : std::optional(places.front());
}

std::vector<GgufTensorMatch> places_of_hf(const GgufArchitecture& family, std::string_view name) {
  std::vector<GgufTensorMatch> places = places_of(family, name, /*in_gguf=*/false);
  const auto in_part = [](const GgufTensorMatch& place) { return is_part(place.row->change); };
  // Older files have kv_b_proj whole.
  if (std::ranges::any_of(places, in_part)) std::erase_if(places, std::not_fn(in_part));
  return places;
}

}  // namespace alambic
