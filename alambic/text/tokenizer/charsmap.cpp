#include "alambic/text/tokenizer/charsmap.h"

#include <utf8proc.h>

#include <cstring>

#include "alambic/base/error.h"
#include "alambic/base/utf8.h"

namespace alambic {
namespace {

// A unit of Darts-clone's double array.
bool has_leaf(uint32_t unit) { return (unit >> 8 & 1) != 0; }
uint32_t value(uint32_t unit) { return unit & 0x7FFFFFFF; }
uint32_t label(uint32_t unit) { return unit & 0x800000FF; }
uint32_t offset(uint32_t unit) { return unit >> 10 << ((unit & 0x200) >> 6); }

// The end of the grapheme cluster that begins at `begin`.
size_t grapheme_end(std::string_view text, size_t begin) {
  size_t end = begin;
  auto before = static_cast<utf8proc_int32_t>(next_code_point(text, end));
  utf8proc_int32_t state = 0;
  for (size_t next = end; next < text.size(); end = next) {
    const auto after = static_cast<utf8proc_int32_t>(next_code_point(text, next));
    if (utf8proc_grapheme_break_stateful(before, after, &state)) break;
    before = after;
  }
  return end;
}

}  // namespace

Charsmap::Charsmap(std::string_view blob) {
  if (blob.empty()) return;
  uint32_t bytes = 0;
  if (blob.size() >= sizeof bytes) std::memcpy(&bytes, blob.data(), sizeof bytes);
  if (blob.size() < sizeof bytes || bytes % 4 != 0 || bytes > blob.size() - sizeof bytes) {
    throw input_error("the trie says it has {} bytes of {}", bytes, blob.size());
  }
  units_.resize(bytes / 4);
  std::memcpy(units_.data(), blob.data() + sizeof bytes, bytes);
  replacements_ = blob.substr(sizeof bytes + bytes);
  if (!is_valid_utf8(replacements_)) throw input_error("the replacements are not UTF-8");
}

bool Charsmap::replace(std::string_view part, std::string& out) const {
  if (units_.empty()) return false;
  size_t node = offset(units_[0]);
  for (const char c : part) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte == 0) return false;
    node ^= byte;
    if (node >= units_.size() || label(units_[node]) != byte) return false;
    const uint32_t unit = units_[node];
    node ^= offset(unit);
    if (!has_leaf(unit)) continue;
    if (node >= units_.size()) return false;
    const size_t at = value(units_[node]);
    // A hostile trie may point into the middle of a character.
    if (at >= replacements_.size()) return at == replacements_.size();
    if ((static_cast<unsigned char>(replacements_[at]) & 0xC0) == 0x80) return false;
    out += replacements_.c_str() + at;
    return true;
  }
  return false;
}

std::string Charsmap::normalize(std::string_view text) const {
  std::string out;
  out.reserve(text.size());
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = grapheme_end(text, begin);
    if (end - begin < 6 && replace(text.substr(begin, end - begin), out)) {
      begin = end;
      continue;
    }
    while (begin < end) {
      const auto length = utf8_length(static_cast<unsigned char>(text[begin]));
      const std::string_view character = text.substr(begin, length);
      if (!replace(character, out)) out += character;
      begin += length;
    }
  }
  return out;
}

}  // namespace alambic
