#include "alambic/io/gguf/metadata_keys.h"

#include <algorithm>

#include "alambic/io/gguf/architectures/words.h"

namespace alambic {

namespace {

using gguf::integer_or;
using gguf::Json;
using enum GgufKeyUse;

// Groups of architectures.
constexpr std::string_view rotary =
    "llama smollm3 qwen2 qwen3 qwen3moe qwen35 qwen35moe gemma2 gemma3 gemma4 olmo2 phi3 gptneox "
    "deepseek2 deepseek32 gpt-oss";
constexpr std::string_view normed =
    "llama smollm3 qwen2 qwen3 qwen3moe qwen35 qwen35moe gemma2 gemma3 gemma4 olmo2 phi3 deepseek2 "
    "deepseek32 gpt-oss";
constexpr std::string_view experts = "llama qwen3moe qwen35moe gemma4 deepseek2 deepseek32 gpt-oss";
constexpr std::string_view own_mlp = "qwen3moe qwen35moe gemma4 deepseek2 deepseek32 gpt-oss";
constexpr std::string_view deepseek = "deepseek2 deepseek32";
constexpr std::string_view qwen35 = "qwen35 qwen35moe";

constexpr GgufKey keys[] = {
    {"context_length", read},
    {"embedding_length", read},
    {"block_count", read},
    {"feed_forward_length", read},
    {"attention.head_count", read},
    {"attention.head_count_kv", held, "gpt2 gptneox deepseek2 deepseek32"},
    {"attention.head_count_kv", read},
    {"attention.layer_norm_rms_epsilon", read, normed},
    {"attention.layer_norm_epsilon", read, "gpt2 gptneox"},
    {"attention.key_length", held, "gpt2 deepseek2 deepseek32"},
    {"attention.key_length", read},
    {"attention.value_length", read, "gemma4"},
    {"attention.value_length", held},
    {"attention.key_length_swa", read, "gemma4"},
    {"attention.key_length_swa", held},
    {"attention.value_length_swa", read, "gemma4"},
    {"attention.value_length_swa", held},
    {"attention.sliding_window", held, "olmo2"},
    {"attention.sliding_window", read, "gemma2 gemma3 gemma4 phi3 gpt-oss"},
    {"attention.sliding_window_pattern", none, "olmo2"},  // without a window
    {"attention.sliding_window_pattern", read, "gemma2 gemma3 gemma4 gpt-oss"},
    {"attention.shared_kv_layers", read, "gemma4"},
    {"attention.causal", held},
    {"rope.dimension_count", none, "gpt2"},
    {"rope.dimension_count", read},
    {"rope.dimension_count_swa", read, "gemma4"},
    {"rope.dimension_count_swa", held, rotary},
    {"rope.dimension_sections", read, qwen35},
    {"rope.freq_base", read, rotary},
    {"rope.freq_base_swa", read, "gemma3 gemma4"},
    {"rope.freq_base_swa", held, "gemma2 olmo2 gpt-oss"},
    {"rope.scaling.type", read, rotary},
    {"rope.scaling.factor", read, rotary},
    {"rope.scale_linear", read, rotary},
    {"rope.scaling.attn_factor", read, rotary},
    {"rope.scaling.original_context_length", none, "gemma4 gpt2"},  // of yarn and longrope
    {"rope.scaling.original_context_length", read},
    {"rope.scaling.yarn_log_multiplier", read, deepseek},
    {"rope.scaling.finetuned", none},
    {"rope.scaling.alpha", none},
    {"attn_logit_softcapping", read, "gemma2"},
    {"final_logit_softcapping", read, "gemma2 gemma3 gemma4"},
    {"embedding_length_per_layer_input", read, "gemma4"},
    {"use_parallel_residual", read, "gptneox"},
    {"nextn_predict_layers", read},
    {"expert_count", read, experts},
    {"expert_used_count", read, experts},
    {"expert_feed_forward_length", read, own_mlp},
    {"expert_shared_feed_forward_length", read, "qwen35moe"},
    {"expert_shared_count", read, deepseek},
    {"expert_group_count", read, deepseek},
    {"expert_group_count", held},
    {"expert_group_used_count", read, deepseek},
    {"expert_weights_scale", read, deepseek},
    {"expert_weights_norm", read, deepseek},
    {"expert_gating_func", read, deepseek},
    {"leading_dense_block_count", read, deepseek},
    {"attention.q_lora_rank", read, deepseek},
    {"attention.kv_lora_rank", read, deepseek},
    {"attention.key_length_mla", read, deepseek},
    {"attention.value_length_mla", read, deepseek},
    {"attention.temperature_scale", held, "deepseek2"},
    {"attention.temperature_length", none, "deepseek2"},
    {"attention.indexer.head_count", read, "deepseek32"},
    {"attention.indexer.key_length", read, "deepseek32"},
    {"attention.indexer.top_k", read, "deepseek32"},
    {"ssm.conv_kernel", read, qwen35},
    {"ssm.inner_size", read, qwen35},
    {"ssm.state_size", read, qwen35},
    {"ssm.time_step_rank", read, qwen35},
    {"ssm.group_count", read, qwen35},
    {"full_attention_interval", read, qwen35},
    {"attention.recurrent_layers", read, qwen35},
    {"embedding_length_out", held},
    {"vocab_size", none},
    {"pooling_type", none},
    {"classifier.output_labels", none},
    {"classifier.pooling_type", none},
    {"classifier.activation", none},
};

bool is_for(const GgufKey& key, std::string_view architecture) {
  std::string_view rest = key.architectures;
  while (!rest.empty()) {
    const std::string_view one = rest.substr(0, rest.find(' '));
    if (one == architecture) return true;
    rest.remove_prefix(std::min(one.size() + 1, rest.size()));
  }
  return key.architectures.empty();
}

// The value that a held key must have; a second one that means the same.
struct Expected {
  double value = 0, or_else = 0;
};

// Of the file's own keys, or what llama.cpp takes without them.
Expected expected_of(const GgufReading& from, const Json& config, std::string_view key) {
  const auto own = [&](const char* name, int64_t otherwise) {
    return static_cast<double>(from.metadata.integer(from.prefix() + name).value_or(otherwise));
  };
  const auto both = [](double value) { return Expected{value, value}; };
  const int64_t width = integer_or(config, "hidden_size", integer_or(config, "n_embd", 0)),
                heads = integer_or(config, "num_attention_heads", integer_or(config, "n_head", 1)),
                head = integer_or(config, "head_dim", heads > 0 ? width / heads : 0);
  const bool latent = config.contains("kv_lora_rank");
  if (key == "embedding_length_out") return {static_cast<double>(width), 0};
  if (key == "attention.causal") return both(1);
  if (key == "expert_group_count") return {1, 0};
  if (key == "rope.freq_base_swa") {
    return both(from.metadata.number(from.prefix() + "rope.freq_base").value_or(1e4));
  }
  if (key == "rope.dimension_count_swa") return both(own("rope.dimension_count", head));
  if (key == "attention.value_length_swa") return both(own("attention.value_length", head));
  if (key == "attention.key_length_swa") return both(own("attention.key_length", head));
  if (key == "attention.head_count_kv")
    return {static_cast<double>(heads), latent ? 1.0 : static_cast<double>(heads)};
  if (key == "attention.value_length" || key == "attention.key_length") {
    if (!latent) return both(static_cast<double>(head));
    // The one head of latents, or, in older files, the model's own.
    const bool keys = key == "attention.key_length";
    const int64_t rank = integer_or(config, "kv_lora_rank", 0),
                  turned = integer_or(config, "qk_rope_head_dim", 0);
    const int64_t own = keys ? integer_or(config, "qk_nope_head_dim", 0) + turned
                             : integer_or(config, "v_head_dim", 0);
    return {static_cast<double>(rank + (keys ? turned : 0)), static_cast<double>(own)};
  }
  return {};  // switched off
}

double number_of(const GgufMetadata& metadata, const std::string& key) {
  const GgufValue* value = metadata.find(key);
  if (std::holds_alternative<bool>(*value)) return *metadata.flag(key) ? 1 : 0;
  if (std::holds_alternative<GgufArray>(*value)) return static_cast<double>(*metadata.integer(key));
  return *metadata.number(key);
}

}  // namespace

std::span<const GgufKey> gguf_keys() { return keys; }

const GgufKey* gguf_key(std::string_view architecture, std::string_view name) {
  const auto* found = std::ranges::find_if(
      keys, [&](const GgufKey& key) { return key.name == name && is_for(key, architecture); });
  return found == std::end(keys) ? nullptr : found;
}

void check_held_keys(const GgufReading& from, const Json& config) {
  for (const auto& [key, value] : from.metadata.items()) {
    if (!key.starts_with(from.prefix())) continue;
    const std::string_view name = std::string_view(key).substr(from.prefix().size());
    const GgufKey* row = gguf_key(from.family.name, name);
    if (row == nullptr || row->use != held) continue;
    const double found = number_of(from.metadata, key);
    const Expected expected = expected_of(from, config, name);
    if (found == expected.value || found == expected.or_else) continue;
    throw input_error("cannot read {}: metadata {} is {}, but only {} is read for {}",
                      from.metadata.where(), key, found, expected.value, from.family.architecture);
  }
}

}  // namespace alambic
