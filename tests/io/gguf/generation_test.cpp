#include "alambic/io/gguf/generation.h"

#include "alambic/io/generation_config.h"
#include "alambic/io/generation_settings.h"
#include "alambic/io/gguf/gguf.h"
#include "tests/io/io_testing.h"

namespace alambic::generation_test {
namespace {

using Json = nlohmann::ordered_json;
using Ids = std::vector<int64_t>;
using Items = std::vector<std::pair<std::string, GgufValue>>;

GgufMetadata with_tokens(std::vector<std::string> tokens, Items items) {
  items.emplace_back("tokenizer.ggml.tokens", GgufArray(std::move(tokens)));
  return GgufMetadata("m.gguf", std::move(items));
}

const std::vector<std::string> plain = {"a", "b", "c", "d", "e", "f", "g", "h"};

// Prevents completions that run past an end that llama.cpp stops at: each key's is one.
TEST(GgufGeneration, EndsAreThoseOfLlamaCppsKeys) {
  const Items items = {{"tokenizer.ggml.fim_pad_token_id", uint32_t{6}},
                       {"tokenizer.ggml.eom_token_id", uint32_t{5}},
                       {"tokenizer.ggml.eot_token_id", uint32_t{4}},
                       {"tokenizer.ggml.eos_token_id", uint32_t{3}},
                       {"tokenizer.ggml.fim_rep_token_id", uint32_t{2}},
                       {"tokenizer.ggml.fim_sep_token_id", uint32_t{3}},
                       {"tokenizer.ggml.fim_mid_token_id", uint32_t{1}}};
  EXPECT_EQ(end_tokens_of_gguf(with_tokens(plain, items)), (Ids{3, 4, 5, 6, 2}));
  EXPECT_EQ(end_tokens_of_gguf(with_tokens(plain, {})), Ids{});
  expect_refused(
      [] {
        end_tokens_of_gguf(with_tokens(plain, {{"tokenizer.ggml.eom_token_id", uint32_t{8}}}));
      },
      {"m.gguf", "tokenizer.ggml.eom_token_id", "8"});
}

// llama.cpp also knows them by their text; <|end|> ends a message within an answer of gpt-oss.
TEST(GgufGeneration, EndsAreThoseThatLlamaCppKnowsByTheirText) {
  const Items eos = {{"tokenizer.ggml.eos_token_id", uint32_t{2}}};
  EXPECT_EQ(end_tokens_of_gguf(with_tokens({"<|end|>", "<|im_end|>", "x", "</s>"}, eos)),
            (Ids{2, 1, 0, 3}));
  EXPECT_EQ(end_tokens_of_gguf(with_tokens({"<|end|>", "<|call|>", "<|return|>", "x"}, eos)),
            (Ids{2, 1}));
  EXPECT_EQ(end_tokens_of_gguf(with_tokens({"<|tool_response>", "</s>", "<turn|>"}, eos)),
            (Ids{2, 0}));
  // Of a file that has a folder's tokenizer, its ends are there by their keys.
  Items whole = eos;
  whole.emplace_back("tokenizer.huggingface.json", std::string("{}"));
  EXPECT_EQ(end_tokens_of_gguf(with_tokens({"<|end|>", "<|im_end|>", "x"}, whole)), (Ids{2}));
}

// Prevents a file's recommended sampling from being passed over without a word.
TEST(GgufGeneration, SamplingHasTransformersNames) {
  const GgufMetadata metadata(
      "m.gguf", {{"general.sampling.temp", 0.6f},
                 {"general.sampling.top_k", int32_t{-1}},
                 {"general.sampling.top_p", 0.95f},
                 {"general.sampling.min_p", 0.0f},
                 {"general.sampling.penalty_repeat", 1.05f},
                 {"general.sampling.penalty_last_n", int32_t{64}},
                 {"general.sampling.mirostat", int32_t{0}},
                 {"general.sampling.mirostat_tau", 5.0f},
                 {"general.sampling.xtc_probability", 0.5f},
                 {"general.sampling.xtc_threshold", 0.1f},
                 {"general.sampling.sequence", std::string("kpt")},
                 {"tokenizer.ggml.suppress_tokens", GgufArray(std::vector<int32_t>{7})},
                 {"tokenizer.ggml.bos_token_id", uint32_t{1}}});
  const Json config = generation_config_of_gguf(metadata);
  EXPECT_EQ(config, (Json{{"bos_token_id", 1},
                          {"suppress_tokens", {7}},
                          {"temperature", 0.6},
                          {"top_k", 0},
                          {"top_p", 0.95},
                          {"min_p", 0.0},
                          {"repetition_penalty", 1.05},
                          {"general.sampling.penalty_last_n", 64},
                          {"general.sampling.xtc_probability", 0.5},
                          {"general.sampling.xtc_threshold", 0.1},
                          {"general.sampling.sequence", "kpt"}}));
  const GenerationSettings settings = generation_settings(config, "m.gguf");
  EXPECT_EQ(settings.processors(), "repetition_penalty 1.05, suppress_tokens [7]");
  std::vector<std::string> named;
  for (const auto& [key, value] : settings.others) named.push_back(key);
  EXPECT_EQ(named, (std::vector<std::string>{
                       "temperature", "top_p", "general.sampling.penalty_last_n",
                       "general.sampling.xtc_probability", "general.sampling.xtc_threshold",
                       "general.sampling.sequence"}));
  EXPECT_TRUE(generation_config_of_gguf(GgufMetadata("m.gguf", {})).is_null());
}

// Prevents `convert` from losing what generation_config.json asks for, there and back.
TEST(GgufGeneration, GoesThereAndBack) {
  const Json config = {{"eos_token_id", 2},
                       {"suppress_tokens", {7, 8}},
                       {"temperature", 0.7},
                       {"top_k", 20},
                       {"top_p", 0.8},
                       {"min_p", 0.05},
                       {"repetition_penalty", 1.05},
                       {"general.sampling.mirostat", 2}};
  GgufMetadata metadata;
  metadata.add("tokenizer.ggml.eos_token_id", uint32_t{2});
  add_generation_config(config, metadata);
  add_generation_config(nullptr, metadata);
  EXPECT_EQ(generation_config_of_gguf(metadata), config);
}

// Prevents reading a GGUF file's settings from nowhere: it has no generation_config.json beside it.
TEST(GgufGeneration, IsReadFromTheFile) {
  const fs::path file = fresh_folder() / "m.gguf";
  GgufMetadata metadata;
  metadata.add("general.sampling.temp", 0.5f);
  write_gguf({file}, metadata, {});
  EXPECT_EQ(read_generation_config(file), (Json{{"temperature", 0.5}}));
  EXPECT_EQ(generation_config_name(file), file.string());
}

}  // namespace
}  // namespace alambic::generation_test
