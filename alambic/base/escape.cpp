#include "alambic/base/escape.h"

#include <fmt/format.h>

namespace alambic {

std::string escape_controls(std::string_view text, bool lines) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  std::string shown;
  for (size_t i = 0; i < text.size(); ++i) {
    // U+0080 to U+009F, in UTF-8 0xC2 and itself, are control characters too.
    const bool wide = byte(i) == 0xC2 && i + 1 < text.size() && byte(i + 1) < 0xA0;
    const bool stays = lines && (text[i] == '\n' || text[i] == '\t');
    if ((byte(i) < 0x20 && !stays) || byte(i) == 0x7F || wide) {
      if (wide) ++i;
      shown += fmt::format("\\x{:02x}", byte(i));
    } else {
      shown += text[i];
    }
  }
  return shown;
}

}  // namespace alambic
