// Tokens as bytes, and bytes as tokens where they go on from a text.
#include <fmt/format.h>

#include <algorithm>

#include "alambic/base/utf8.h"
#include "alambic/text/tokenizer/byte_level.h"
#include "alambic/text/tokenizer/tokenizer.h"

namespace alambic {

namespace {

// A character of no composition: what normalizers put before a text, or take from its beginning,
// they do to it.
constexpr char anchor = 'x';

// Bytes at the beginning that are valid UTF-8.
size_t valid_prefix(std::string_view bytes) {
  if (is_valid_utf8(bytes)) return bytes.size();
  size_t end = 0;
  while (end < bytes.size()) {
    const size_t length = utf8_length(static_cast<unsigned char>(bytes[end]));
    if (end + length > bytes.size() || !is_valid_utf8(bytes.substr(end, length))) break;
    end += length;
  }
  return end;
}

}  // namespace

std::optional<std::string> Tokenizer::bytes_of(int32_t id) const {
  if (special_.unk == id) return "";
  if (const AddedToken* added = added_.find(id)) return added->special ? "" : added->content;
  const std::string* token = model_->vocabulary().token(id);
  if (token == nullptr) return "";
  // Some files fall back to bytes and have no decoder that says so.
  const int byte = fallback_byte(*token);
  const bool falls_back =
      model_->vocabulary().find("<0x00>") && model_->vocabulary().find("<0xFF>");
  if (byte >= 0 && falls_back) return std::string(1, static_cast<char>(byte));
  return decoder_ ? decoder_->bytes(*token) : std::nullopt;
}

std::vector<int32_t> Tokenizer::encode_continuation(std::string_view bytes) const {
  std::vector<int32_t> ids;
  while (!bytes.empty()) {
    const std::string_view text = bytes.substr(0, valid_prefix(bytes));
    for (const TextPart& part : added_.split(text, false, /*special=*/false)) {
      if (part.id >= 0) {
        ids.push_back(part.id);
      } else {
        tokenize_as_text(part.text, ids);
      }
    }
    bytes.remove_prefix(text.size());
    size_t broken = 0;
    while (broken < bytes.size() && valid_prefix(bytes.substr(broken)) == 0) ++broken;
    tokenize_broken(bytes.substr(0, broken), ids);
    bytes.remove_prefix(broken);
  }
  return ids;
}

// A model whose own vocabulary has the special tokens finds them in the text: it then gets each in
// two parts.
void Tokenizer::tokenize_as_text(std::string_view text, std::vector<int32_t>& ids) const {
  const auto begin = std::ssize(ids);
  tokenize_continuation(text, ids);
  const auto spelled = [this](int32_t id) { return is_special(id) && special_.unk != id; };
  if (std::none_of(ids.begin() + begin, ids.end(), spelled)) return;
  ids.resize(begin);
  for (const TextPart& part : added_.split(text, false)) {
    const size_t head = part.id < 0 ? part.text.size() : 1;
    tokenize_continuation(part.text.substr(0, head), ids);
    if (head < part.text.size()) tokenize_continuation(part.text.substr(head), ids);
  }
}

// Bytes of characters that were cut: joined as the model joins them where its characters are bytes.
void Tokenizer::tokenize_broken(std::string_view bytes, std::vector<int32_t>& ids) const {
  if (bytes.empty()) return;
  std::string characters;
  bool joined = true;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    characters += byte_to_character(byte);
    joined &= id_of_byte(byte) == model_->vocabulary().find(byte_to_character(byte));
  }
  if (joined) {
    model_->tokenize({.text = characters, .ranges = {{0, characters.size()}}}, ids);
    return;
  }
  for (const char c : bytes) {
    if (const auto id = id_of_byte(static_cast<unsigned char>(c))) ids.push_back(*id);
  }
}

void Tokenizer::tokenize_continuation(std::string_view text, std::vector<int32_t>& ids) const {
  const std::string normal = normalize_inside(text);
  for (const TextPart& part : added_.split(normal, true, /*special=*/false)) {
    if (part.id >= 0) {
      ids.push_back(part.id);
      continue;
    }
    Pieces pieces{.text = std::string(part.text),
                  .ranges = {{0, part.text.size()}},
                  .at_start = false,
                  .continued = true};
    if (pre_tokenizer_) pre_tokenizer_->apply(pieces);
    model_->tokenize(pieces, ids);
  }
}

std::string Tokenizer::normalize_inside(std::string_view text) const {
  if (!normalizer_) return std::string(text);
  std::string anchored(1, anchor);
  anchored += text;
  anchored = normalizer_->normalize(std::move(anchored));
  const size_t place = anchored.find(anchor);
  return place == anchored.npos ? "" : anchored.substr(place + 1);
}

// The token whose bytes are this one, in either way to write it.
std::optional<int32_t> Tokenizer::id_of_byte(unsigned char byte) const {
  const Vocabulary& vocabulary = model_->vocabulary();
  for (const std::string& name :
       {fmt::format("<0x{:02X}>", byte), std::string(byte_to_character(byte))}) {
    const auto id = vocabulary.find(name);
    if (id && bytes_of(*id) == std::string(1, static_cast<char>(byte))) return id;
  }
  return std::nullopt;
}

}  // namespace alambic
