// A random model of small layers with the tokenizer of the word problems.
#pragma once

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "alambic/base/files.h"
#include "tests/program/program.h"

namespace alambic {

/// Makes the model folder `model` with `alambic init`; its parent is there. `more`: keys that a
/// Llama has not, or has otherwise.
inline void init_tiny_model(const fs::path& model, const std::string& seed,
                            const nlohmann::json& more) {
  const fs::path config = model.parent_path() / "config.json";
  nlohmann::json keys{{"architectures", {"LlamaForCausalLM"}},
                      {"model_type", "llama"},
                      {"hidden_size", 16},
                      {"intermediate_size", 24},
                      {"num_hidden_layers", 1},
                      {"num_attention_heads", 2},
                      {"max_position_embeddings", 64},
                      {"tie_word_embeddings", true},
                      {"eos_token_id", 0}};
  keys.update(more);
  write_file(config, keys.dump());
  const fs::path tokenizer = fs::path(ALAMBIC_SOURCE_DIR) / "recipes/word_problems/tokenizer";
  const Outcome made = alambic("init --model-config " + config.string() + " --tokenizer " +
                               tokenizer.string() + " --seed " + seed + " --out " + model.string());
  ASSERT_EQ(made.code, 0) << made.text;
}

inline void init_tiny_llama(const fs::path& model, const std::string& seed, int layers = 1) {
  init_tiny_model(model, seed, {{"num_hidden_layers", layers}});
}

/// With two layers of four routed experts.
inline void init_tiny_mixtral(const fs::path& model, const std::string& seed) {
  init_tiny_model(model, seed,
                  {{"architectures", {"MixtralForCausalLM"}},
                   {"model_type", "mixtral"},
                   {"num_hidden_layers", 2},
                   {"num_key_value_heads", 2},
                   {"num_local_experts", 4},
                   {"num_experts_per_tok", 2}});
}

}  // namespace alambic
