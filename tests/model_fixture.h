// Small models with fixed random weights, for tests of the rooms above model/.
#pragma once

#include <cmath>
#include <memory>

#include "alambic/base/random.h"
#include "alambic/model/families.h"

namespace alambic {

/// Two layers, width 32, four heads with two key/value heads, context of 64 positions.
inline Json small_llama_config(int64_t vocabulary = 50) {
  return {{"architectures", {"LlamaForCausalLM"}},
          {"model_type", "llama"},
          {"vocab_size", vocabulary},
          {"hidden_size", 32},
          {"intermediate_size", 48},
          {"num_hidden_layers", 2},
          {"num_attention_heads", 4},
          {"num_key_value_heads", 2},
          {"max_position_embeddings", 64},
          {"rms_norm_eps", 1e-5},
          {"tie_word_embeddings", true}};
}

/// Two layers, width 32, four heads, context of 64 positions.
inline Json small_gpt2_config(int64_t vocabulary = 50) {
  return {{"architectures", {"GPT2LMHeadModel"}},
          {"model_type", "gpt2"},
          {"vocab_size", vocabulary},
          {"n_embd", 32},
          {"n_layer", 2},
          {"n_head", 4},
          {"n_positions", 64}};
}

/// Fills every tensor with values that depend on the seed, the tensor's place in visit() and the
/// element alone. Matrices have the standard deviation 1 / sqrt(columns) times `spread`, which
/// makes next-token distributions neither flat nor certain; norms lie around one and biases
/// around zero.
inline void fill(Model& model, uint64_t seed = 1, double spread = 1.5,
                 at::ScalarType dtype = at::kFloat) {
  uint64_t index = 0;
  model.visit([&](const std::string& name, Tensor& tensor) {
    const bool matrix = tensor.dim() > 1;
    const double center = !matrix && name.ends_with("weight") ? 1 : 0;
    const double deviation = matrix ? spread / std::sqrt(static_cast<double>(tensor.size(1))) : 0.1;
    const Tensor values = at::empty(tensor.sizes(), at::kDouble);
    double* value = values.data_ptr<double>();
    for (int64_t i = 0; i < values.numel(); ++i) {
      const Draw draw{.seed = seed, .sample = index, .position = static_cast<uint32_t>(i)};
      value[i] = center + deviation * normal(draw);
    }
    tensor = values.to(dtype);
    ++index;
  });
  model.settle(at::kCPU, dtype);
}

/// A filled model on the CPU.
inline std::unique_ptr<Model> random_model(const Json& config, uint64_t seed = 1,
                                           double spread = 1.5, at::ScalarType dtype = at::kFloat) {
  std::unique_ptr<Model> model = make_model(config, "a test's config.json");
  fill(*model, seed, spread, dtype);
  return model;
}

}  // namespace alambic
