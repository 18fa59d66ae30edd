#include "alambic/io/printable.h"

#include <fmt/core.h>

namespace alambic {

std::string printable(std::string_view text) {
  constexpr size_t most = 120;
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  size_t end = text.size();
  if (end > most) {
    end = most;
    while (end > 0 && (byte(end) & 0xC0) == 0x80) --end;  // not inside a UTF-8 sequence
  }
  std::string shown;
  for (size_t i = 0; i < end; ++i) {
    // U+0080 to U+009F, in UTF-8 0xC2 and itself, are control characters too.
    const bool wide = byte(i) == 0xC2 && i + 1 < end && byte(i + 1) < 0xA0;
    if (byte(i) < 0x20 || byte(i) == 0x7F || wide) {
      if (wide) ++i;
      shown += fmt::format("\\x{:02x}", byte(i));
    } else {
      shown += text[i];
    }
  }
  return end < text.size() ? shown + fmt::format("… ({} bytes)", text.size()) : shown;
}

}  // namespace alambic
