#include "alambic/remote/budget.h"

#include <charconv>

#include "alambic/base/error.h"

namespace alambic {

Prices parse_prices(const std::string& option, const std::string& text) {
  if (text.empty()) return {};
  double values[2] = {};
  const char* at = text.data();
  const char* const end = text.data() + text.size();
  for (double& value : values) {
    const auto [next, error] = std::from_chars(at, end, value);
    const bool last = &value == &values[1];
    if (error != std::errc() || !(value >= 0) ||
        (last ? next != end : next == end || *next != ',')) {
      throw input_error("{} {}: expected IN,OUT, what a million tokens cost, as 0.5,2", option,
                        text);
    }
    at = next + 1;
  }
  return {.input = values[0], .output = values[1]};
}

}  // namespace alambic
