// A tokenizer.json of byte-level BPE, put together.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace alambic {

inline constexpr std::string_view llama3_pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
inline constexpr std::string_view qwen3_5_pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
inline constexpr std::string_view qwen_pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

/// Bytes as visible characters.
std::string as_characters(std::string_view bytes);

/// The pre-tokenizer and decoder ByteLevel; `use_regex`: it cuts by GPT-2's pattern;
/// `prefix_space`: a space goes before a text (of a stretch between special tokens) without one.
nlohmann::ordered_json byte_level(bool use_regex, bool prefix_space = false);

/// The pre-tokenizer that cuts by another pattern.
nlohmann::ordered_json split_then_bytes(std::string_view pattern, bool prefix_space = false);

/// Byte-level BPE around a vocabulary (an object of ids) and its merges (a list of pairs).
nlohmann::ordered_json byte_level_bpe(nlohmann::ordered_json vocabulary,
                                      nlohmann::ordered_json merges,
                                      nlohmann::ordered_json pre_tokenizer);

}  // namespace alambic
