// GPT-NeoX and Pythia.
#include "alambic/io/gguf/architectures/words.h"

namespace alambic::gguf {

namespace {

constexpr GgufTensorRow tensors[] = {
    {"token_embd", "gpt_neox.embed_in"},
    {"blk.{}.attn_norm", "gpt_neox.layers.{}.input_layernorm"},
    {"blk.{}.attn_qkv", "gpt_neox.layers.{}.attention.query_key_value", head_parts},
    {"blk.{}.attn_output", "gpt_neox.layers.{}.attention.dense"},
    {"blk.{}.ffn_norm", "gpt_neox.layers.{}.post_attention_layernorm"},
    {"blk.{}.ffn_up", "gpt_neox.layers.{}.mlp.dense_h_to_4h"},
    {"blk.{}.ffn_down", "gpt_neox.layers.{}.mlp.dense_4h_to_h"},
    {"output_norm", "gpt_neox.final_layer_norm"},
    {"output", "embed_out"},
};

constexpr auto own_sizes = with_common({
    {"context_length", "max_position_embeddings", length, "2048", true},
    {"feed_forward_length", "intermediate_size", size, "", true},
    {"attention.layer_norm_epsilon", "layer_norm_eps", real, "1e-5", true},
    {"use_parallel_residual", "use_parallel_residual", flag, "true", true},
});

// The rotary share even at its default, which is not llama.cpp's.
void read(const GgufReading&, Json& config) { tell_rotary_share(config["rope_parameters"]); }

}  // namespace

constexpr GgufArchitecture gpt_neox_rows[] = {
    {.name = "gptneox",
     .model_type = "gpt_neox",
     .architecture = "GPTNeoXForCausalLM",
     .settings = own_sizes,
     .tensors = tensors,
     .constants = R"({"hidden_act": "gelu", "attention_bias": true})",
     .words = {.read = read}},
};
extern const std::span<const GgufArchitecture> gpt_neox = gpt_neox_rows;

}  // namespace alambic::gguf
