#include "alambic/io/gguf/pre_tokenizer.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <vector>

namespace alambic {

namespace {

using SortedJson = nlohmann::json;
using Patterns = std::array<std::string_view, 1>;

constexpr std::string_view byte_level;
constexpr std::string_view gpt2_pattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
constexpr Patterns gpt2 = {byte_level};
constexpr Patterns llama3 = {
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)"};
constexpr Patterns qwen2 = {
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)"};
constexpr Patterns qwen35 = {
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)"};
constexpr Patterns gpt4o = {
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)"};
constexpr Patterns tekken = {
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)"};
constexpr std::array<std::string_view, 2> digits_then_gpt2 = {R"(\p{N})", byte_level};
constexpr std::array<std::string_view, 3> deepseek3 = {
    R"(\p{N}{1,3})", "[一-龥぀-ゟ゠-ヿ]+",
    R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)"};
constexpr std::string_view line_ends = R"([\r\n])";
// Ideographs and Hangul, with the range that DeepSeek meant otherwise.
constexpr std::string_view ideographs = "[一-龥ࠀ-一가-퟿]+";
constexpr std::array<std::string_view, 6> deepseek_llm = {
    line_ends,
    R"(\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝὟ-ώᾀ-ᾴᾶ-ᾼιῂ-ῄῆ-ῌῐ-ΐῖ-Ίῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤΩℨK-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃]+)",
    R"(\s?[!-/:-~！-／：-～‘-‟　-。]+)",
    R"(\s+$)",
    ideographs,
    R"(\p{N}+)"};
constexpr std::array<std::string_view, 5> deepseek_coder = {line_ends, R"(\s?\p{L}+)",
                                                            R"(\s?\p{P}+)", ideographs, R"(\p{N})"};
constexpr std::array<std::string_view, 3> falcon = {R"([\p{P}\$\+<=>\^~\|`]+)", byte_level,
                                                    "[0-9][0-9][0-9]"};
constexpr std::string_view words_alone = R"( ?[^(\s|.,!?…。，、।۔،)]+)";
constexpr Patterns poro = {words_alone};
constexpr std::array<std::string_view, 2> viking = {words_alone, R"(\p{N})"};
constexpr Patterns seed_coder = {
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1}| ?[^\s\p{L}\p{N}\r\n]+|\s*[\r\n]+|\s+(?!\S)|\s+)"};
constexpr Patterns kimi_k2 = {
    R"([\p{Han}]+|[^\r\n\p{L}\p{N}]?(?:(?!\p{Han})[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}])*(?:(?!\p{Han})[\p{Ll}\p{Lm}\p{Lo}\p{M}])+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?(?:(?!\p{Han})[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}])+(?:(?!\p{Han})[\p{Ll}\p{Lm}\p{Lo}\p{M}])*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)"};
constexpr std::array<std::string_view, 4> unnamed = {R"([\p{P}\$\+<=>\^~\|]+)", byte_level,
                                                     R"(\p{N}+)", "[0-9][0-9][0-9]"};

// As llama.cpp's src/llama-vocab.cpp has them. The first that fits is written.
const std::array table = {
    GgufPreTokenizer{"gpt-2", gpt2},
    GgufPreTokenizer{"phi-2", gpt2},
    GgufPreTokenizer{"olmo", gpt2},
    GgufPreTokenizer{"mpt", gpt2},
    GgufPreTokenizer{"jais", gpt2},
    GgufPreTokenizer{"exaone4", gpt2},
    GgufPreTokenizer{"gigachat", gpt2},
    GgufPreTokenizer{"a.x-4.0", gpt2},
    GgufPreTokenizer{"mellum", gpt2},
    GgufPreTokenizer{"trillion", gpt2},
    GgufPreTokenizer{"granite-docling", gpt2},
    GgufPreTokenizer{"llama-bpe", llama3, true, true},
    GgufPreTokenizer{"llama3", llama3, true, true},
    GgufPreTokenizer{"llama-v3", llama3, true, true},
    GgufPreTokenizer{"falcon3", llama3, true, true},
    GgufPreTokenizer{"pixtral", llama3, true, true},
    GgufPreTokenizer{"lfm2", llama3, true, true},
    GgufPreTokenizer{"falcon-h1", llama3, true, true},
    GgufPreTokenizer{"midm-2.0", llama3, true, true},
    GgufPreTokenizer{"dbrx", llama3},
    GgufPreTokenizer{"smaug-bpe", llama3},
    GgufPreTokenizer{"glm4", llama3},
    GgufPreTokenizer{"chatglm-bpe", llama3},
    GgufPreTokenizer{"qwen2", qwen2, false, false, true},
    GgufPreTokenizer{"qwen35", qwen35, false, false, true},
    GgufPreTokenizer{"deepseek-r1-qwen", qwen2, false, false, true},
    GgufPreTokenizer{"kormo", qwen2},
    GgufPreTokenizer{"stablelm2", qwen2},
    GgufPreTokenizer{"solar-open", qwen2},
    GgufPreTokenizer{"megrez", qwen2},
    GgufPreTokenizer{"hunyuan", qwen2},
    GgufPreTokenizer{"gpt-4o", gpt4o},
    GgufPreTokenizer{"llama4", gpt4o},
    GgufPreTokenizer{"kanana2", gpt4o},
    GgufPreTokenizer{"talkie", gpt4o},
    GgufPreTokenizer{"minimax-m2", gpt4o},
    GgufPreTokenizer{"tekken", tekken, true, true},
    GgufPreTokenizer{"smollm", digits_then_gpt2},
    GgufPreTokenizer{"starcoder", digits_then_gpt2},
    GgufPreTokenizer{"refact", digits_then_gpt2},
    GgufPreTokenizer{"command-r", digits_then_gpt2},
    GgufPreTokenizer{"codeshell", digits_then_gpt2},
    GgufPreTokenizer{"exaone", digits_then_gpt2},
    GgufPreTokenizer{"minerva-7b", digits_then_gpt2},
    GgufPreTokenizer{"deepseek-v3", deepseek3},
    GgufPreTokenizer{"hunyuan-dense", deepseek3},
    GgufPreTokenizer{"joyai-llm", deepseek3},
    GgufPreTokenizer{"deepseek-llm", deepseek_llm},
    GgufPreTokenizer{"deepseek-coder", deepseek_coder},
    GgufPreTokenizer{"kimi-k2", kimi_k2},
    GgufPreTokenizer{"falcon", falcon},
    GgufPreTokenizer{"poro-chat", poro},
    GgufPreTokenizer{"bloom", poro},
    GgufPreTokenizer{"gpt3-finnish", poro},
    GgufPreTokenizer{"viking", viking},
    GgufPreTokenizer{"seed-coder", seed_coder},
    GgufPreTokenizer{"default", unnamed},
};

SortedJson byte_level_json(bool use_regex) {
  return {{"type", "ByteLevel"},
          {"add_prefix_space", false},
          {"trim_offsets", true},
          {"use_regex", use_regex}};
}

SortedJson split_json(std::string_view pattern) {
  return {{"type", "Split"},
          {"pattern", {{"Regex", pattern}}},
          {"behavior", "Isolated"},
          {"invert", false}};
}

// Patterns of one part of a pre-tokenizer; nothing when it is neither a pattern nor bytes only.
std::optional<std::vector<std::string>> patterns_of(const SortedJson& part) {
  const std::string type = part.value("type", "");
  if (type == "Split" && part.contains("pattern") && part["pattern"].contains("Regex")) {
    const bool isolates = part.value("behavior", "") == "Isolated" ||
                          (part.value("behavior", "") == "Removed" && part.value("invert", false));
    if (isolates) return std::vector{part["pattern"]["Regex"].get<std::string>()};
  }
  if (type == "Digits" && part.value("individual_digits", false))
    return std::vector<std::string>{R"(\p{N})"};
  if (type == "ByteLevel" && !part.value("add_prefix_space", true)) {
    if (part.value("use_regex", true)) return std::vector<std::string>{""};
    return std::vector<std::string>{};
  }
  return std::nullopt;
}

}  // namespace

const GgufPreTokenizer* gguf_pre_tokenizer(std::string_view name) {
  const auto* found = std::ranges::find(table, name, &GgufPreTokenizer::name);
  return found == table.end() ? nullptr : found;
}

SortedJson pre_tokenizer_json(const GgufPreTokenizer& pre) {
  if (std::ranges::equal(pre.patterns, gpt2)) return byte_level_json(true);
  SortedJson parts = SortedJson::array();
  for (const std::string_view pattern : pre.patterns) {
    // Between others GPT-2's pattern is written out: ByteLevel also turns bytes to characters,
    // which must come last.
    parts.push_back(split_json(pattern.empty() ? gpt2_pattern : pattern));
  }
  const bool last = pre.patterns.back().empty();
  if (last) parts.erase(parts.size() - 1);
  parts.push_back(byte_level_json(last));
  return {{"type", "Sequence"}, {"pretokenizers", parts}};
}

const GgufPreTokenizer* find_pre_tokenizer(const SortedJson& tokenizer) {
  const SortedJson& pre = tokenizer.at("pre_tokenizer");
  const bool sequence = pre.is_object() && pre.value("type", "") == "Sequence";
  std::vector<std::string> patterns;
  for (const SortedJson& part : sequence ? pre.at("pretokenizers") : SortedJson::array({pre})) {
    const auto more = part.is_object() ? patterns_of(part) : std::nullopt;
    if (!more) return nullptr;
    patterns.insert(patterns.end(), more->begin(), more->end());
  }
  const bool ignores = tokenizer.at("model").value("ignore_merges", false);
  const auto* found = std::ranges::find_if(table, [&](const GgufPreTokenizer& entry) {
    return std::ranges::equal(entry.patterns, patterns) && entry.ignore_merges == ignores;
  });
  return found == table.end() ? nullptr : found;
}

}  // namespace alambic
