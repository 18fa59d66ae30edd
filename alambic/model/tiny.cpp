#include "alambic/model/tiny.h"

#include <cmath>

#include "alambic/base/random.h"

namespace alambic {

Json small_llama_config(int64_t vocabulary) {
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

Json small_gpt2_config(int64_t vocabulary) {
  return {{"architectures", {"GPT2LMHeadModel"}},
          {"model_type", "gpt2"},
          {"vocab_size", vocabulary},
          {"n_embd", 32},
          {"n_layer", 2},
          {"n_head", 4},
          {"n_positions", 64}};
}

void fill(Model& model, uint64_t seed, double spread, at::ScalarType dtype) {
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
  model.move_buffers(at::kCPU, dtype);
}

std::unique_ptr<Model> random_model(const Json& config, uint64_t seed, double spread,
                                    at::ScalarType dtype) {
  std::unique_ptr<Model> model = make_model(config, "a small model's config.json");
  fill(*model, seed, spread, dtype);
  return model;
}

}  // namespace alambic
