#include "alambic/base/byte_text.h"

#include <fmt/core.h>

#include "alambic/base/utf8.h"

namespace alambic {

std::string byte_text(std::string_view bytes) {
  if (is_valid_utf8(bytes)) return std::string(bytes);
  std::string text = "bytes:";
  for (const char byte : bytes) text += fmt::format("\\x{:02x}", static_cast<unsigned char>(byte));
  return text;
}

}  // namespace alambic
