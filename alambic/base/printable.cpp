#include "alambic/base/printable.h"

#include <fmt/core.h>

#include "alambic/base/escape.h"

namespace alambic {

std::string printable(std::string_view text) {
  constexpr size_t max = 120;
  if (text.size() <= max) return escape_controls(text, /*lines=*/false);
  size_t end = max;
  // Not inside a UTF-8 sequence.
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return escape_controls(text.substr(0, end), /*lines=*/false) +
         fmt::format("… ({} bytes)", text.size());
}

}  // namespace alambic
