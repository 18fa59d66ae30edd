// Vocabulary of the files of architectures/, and the settings that most families share.
#pragma once

#include <array>

#include "alambic/io/gguf/architecture.h"

namespace alambic::gguf {

using enum GgufTransform;

inline constexpr auto layers = GgufSetting::layers, experts = GgufSetting::experts,
                      size = GgufSetting::size, length = GgufSetting::length,
                      real = GgufSetting::real, flag = GgufSetting::flag;

/// Rows of a table, and more behind them.
template <class Row, size_t M, size_t N>
constexpr std::array<Row, M + N> joined(const std::array<Row, M>& first, const Row (&then)[N]) {
  std::array<Row, M + N> all;
  for (size_t i = 0; i < M; ++i) all[i] = first[i];
  for (size_t i = 0; i < N; ++i) all[M + i] = then[i];
  return all;
}

/// Settings that nearly all families have in common.
inline constexpr std::array common_sizes = {
    GgufSetting{"embedding_length", "hidden_size", size, "", true},
    GgufSetting{"block_count", "num_hidden_layers", layers, "", true},
    GgufSetting{"attention.head_count", "num_attention_heads", size, "", true},
};

template <size_t N>
constexpr auto with_common(const GgufSetting (&own)[N]) {
  return joined(common_sizes, own);
}

/// Settings of a family like Llama, with or without experts.
inline constexpr auto sizes = with_common({
    {"context_length", "max_position_embeddings", length, "2048", true},
    {"feed_forward_length", "intermediate_size", size, "", true},
    {"attention.head_count_kv", "num_key_value_heads", size, ""},
    {"attention.layer_norm_rms_epsilon", "rms_norm_eps", real, "1e-6", true},
    {"attention.sliding_window", "sliding_window", length, ""},
    {"expert_count", "num_local_experts", experts, ""},
    {"expert_used_count", "num_experts_per_tok", size, ""},
});

}  // namespace alambic::gguf
