#include "alambic/base/units.h"

#include <fmt/core.h>

#include <array>
#include <cmath>
#include <string_view>

namespace alambic {

std::string with_separators(int64_t value) {
  const std::string digits = fmt::format("{}", value);
  const size_t first = value < 0 ? 1 : 0;
  std::string text;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i > first && (digits.size() - i) % 3 == 0) text += ',';
    text += digits[i];
  }
  return text;
}

namespace {

// 999.7 would print as "1000": such a value moves on to the next prefix.
std::string scaled(double value, double base, const std::array<std::string_view, 7>& prefixes) {
  size_t prefix = 0;
  while (prefix + 1 < prefixes.size() && std::abs(value) >= (base == 1000 ? 999.5 : 1023.5)) {
    value /= base;
    ++prefix;
  }
  const double size = std::abs(value);
  const int decimals = prefix == 0 || size >= 99.95 ? 0 : size >= 9.995 ? 1 : 2;
  return fmt::format("{:.{}f}{}", value, decimals, prefixes[prefix]);
}

}  // namespace

std::string human_count(double value) {
  if (std::abs(value) < 999.5 && value != std::round(value)) return fmt::format("{:.3g}", value);
  return scaled(value, 1000, {"", " k", " M", " G", " T", " P", " E"});
}

std::string human_bytes(double bytes) {
  return scaled(bytes, 1024, {" B", " KiB", " MiB", " GiB", " TiB", " PiB", " EiB"});
}

std::string human_duration(double seconds) {
  if (!(seconds >= 0) || seconds > 1e15) return "-:--";
  const auto whole = static_cast<int64_t>(std::llround(seconds));
  if (whole < 3600) return fmt::format("{}:{:02}", whole / 60, whole % 60);
  return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
}

}  // namespace alambic
