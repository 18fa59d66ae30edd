#include "alambic/text/tokenizer/byte_level_bpe.h"

#include "alambic/text/tokenizer/byte_level.h"

namespace alambic {

using Json = nlohmann::ordered_json;

std::string as_characters(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) text += byte_to_character(static_cast<unsigned char>(c));
  return text;
}

Json byte_level(bool use_regex, bool prefix_space) {
  return {{"type", "ByteLevel"},
          {"add_prefix_space", prefix_space},
          {"trim_offsets", true},
          {"use_regex", use_regex}};
}

Json split_then_bytes(std::string_view pattern, bool prefix_space) {
  const Json split = {{"type", "Split"},
                      {"pattern", {{"Regex", pattern}}},
                      {"behavior", "Isolated"},
                      {"invert", false}};
  return {{"type", "Sequence"}, {"pretokenizers", {split, byte_level(false, prefix_space)}}};
}

Json byte_level_bpe(Json vocabulary, Json merges, Json pre_tokenizer) {
  Json model = {{"type", "BPE"},
                {"dropout", nullptr},
                {"unk_token", nullptr},
                {"continuing_subword_prefix", nullptr},
                {"end_of_word_suffix", nullptr},
                {"fuse_unk", false},
                {"byte_fallback", false},
                {"ignore_merges", false},
                {"vocab", std::move(vocabulary)},
                {"merges", std::move(merges)}};
  return {{"version", "1.0"},          {"truncation", nullptr},
          {"padding", nullptr},        {"added_tokens", Json::array()},
          {"normalizer", nullptr},     {"pre_tokenizer", std::move(pre_tokenizer)},
          {"post_processor", nullptr}, {"decoder", byte_level(true)},
          {"model", std::move(model)}};
}

}  // namespace alambic
