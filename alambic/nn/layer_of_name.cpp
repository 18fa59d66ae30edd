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

}  // namespace alambic
