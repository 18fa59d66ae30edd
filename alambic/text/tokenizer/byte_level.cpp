#include "alambic/text/tokenizer/byte_level.h"

#include <array>

namespace alambic {
namespace {

constexpr bool is_visible(int byte) {
  return (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xAC) ||
         (byte >= 0xAE && byte <= 0xFF);
}

struct Table {
  std::array<char, 512> text{};             // two bytes per byte
  std::array<unsigned char, 256> length{};  // used of the two
  std::array<short, 0x180> byte{};

  constexpr Table() {
    byte.fill(-1);
    int next = 256;
    for (int b = 0; b < 256; ++b) {
      const int character = is_visible(b) ? b : next++;
      byte[character] = static_cast<short>(b);
      length[b] = character < 0x80 ? 1 : 2;
      text[2 * b] = static_cast<char>(character < 0x80 ? character : 0xC0 | character >> 6);
      text[2 * b + 1] = static_cast<char>(0x80 | (character & 0x3F));
    }
  }
};
constexpr Table table;

}  // namespace

std::string_view byte_to_character(unsigned char byte) {
  return {table.text.data() + 2 * byte, table.length[byte]};
}

int character_to_byte(char32_t character) {
  return character < table.byte.size() ? table.byte[character] : -1;
}

}  // namespace alambic
