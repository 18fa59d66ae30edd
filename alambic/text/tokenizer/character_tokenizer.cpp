#include "alambic/text/tokenizer/character_tokenizer.h"

#include <bitset>
#include <nlohmann/json.hpp>

#include "alambic/text/tokenizer/byte_level.h"

namespace alambic {

std::string character_tokenizer_json(std::string_view text) {
  using Json = nlohmann::ordered_json;
  std::bitset<256> seen;
  for (const char c : text) seen.set(static_cast<unsigned char>(c));
  Json vocabulary = Json::object();
  for (int byte = 0; byte < 256; ++byte) {
    if (!seen[byte]) continue;
    const int64_t id = static_cast<int64_t>(vocabulary.size());
    vocabulary[std::string(byte_to_character(static_cast<unsigned char>(byte)))] = id;
  }
  const Json byte_level = {{"type", "ByteLevel"},
                           {"add_prefix_space", false},
                           {"trim_offsets", true},
                           {"use_regex", true}};
  const Json tokenizer = {{"version", "1.0"},
                          {"truncation", nullptr},
                          {"padding", nullptr},
                          {"added_tokens", Json::array()},
                          {"normalizer", nullptr},
                          {"pre_tokenizer", byte_level},
                          {"post_processor", nullptr},
                          {"decoder", byte_level},
                          {"model",
                           {{"type", "BPE"},
                            {"dropout", nullptr},
                            {"unk_token", nullptr},
                            {"continuing_subword_prefix", nullptr},
                            {"end_of_word_suffix", nullptr},
                            {"fuse_unk", false},
                            {"byte_fallback", false},
                            {"ignore_merges", false},
                            {"vocab", vocabulary},
                            {"merges", Json::array()}}}};
  return tokenizer.dump(2) + "\n";
}

}  // namespace alambic
