// A random model of small layers with the tokenizer of the word problems.
#pragma once

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "alambic/base/files.h"
#include "tests/program/program.h"

namespace alambic {

/// Makes the model folder `model` with `alambic init`; its parent is there.
inline void init_tiny_llama(const fs::path& model, const std::string& seed, int layers = 1) {
  const fs::path config = model.parent_path() / "config.json";
  write_file(config, nlohmann::json{{"architectures", {"LlamaForCausalLM"}},
                                    {"model_type", "llama"},
                                    {"hidden_size", 16},
                                    {"intermediate_size", 24},
                                    {"num_hidden_layers", layers},
                                    {"num_attention_heads", 2},
                                    {"max_position_embeddings", 64},
                                    {"tie_word_embeddings", true},
                                    {"eos_token_id", 0}}
                         .dump());
  const fs::path tokenizer = fs::path(ALAMBIC_SOURCE_DIR) / "recipes/word_problems/tokenizer";
  const Outcome made = alambic("init --model-config " + config.string() + " --tokenizer " +
                               tokenizer.string() + " --seed " + seed + " --out " + model.string());
  ASSERT_EQ(made.code, 0) << made.text;
}

}  // namespace alambic
