#include "alambic/nn/layer_of_name.h"

#include <algorithm>
#include <charconv>

namespace alambic {

int64_t layer_of_name(std::string_view name) {
  for (size_t begin = 0; begin < name.size();) {
    const size_t end = std::min(name.find('.', begin), name.size());
    int64_t number = 0;
    const char* last = name.data() + end;
    const auto [stop, error] = std::from_chars(name.data() + begin, last, number);
    if (error == std::errc() && stop == last && number >= 0) return number;
    begin = end + 1;
  }
  return -1;
}

namespace {

constexpr std::string_view list = ".experts.";

}  // namespace

bool is_of_experts(std::string_view name) { return name.find(list) != std::string_view::npos; }

int64_t expert_of_name(std::string_view name) {
  const size_t place = name.find(list);
  if (place == std::string_view::npos) return -1;
  const std::string_view rest = name.substr(place + list.size());
  int64_t number = -1;
  std::from_chars(rest.data(), rest.data() + rest.size(), number);
  return number;
}

}  // namespace alambic
