// GPT-2: other names in config.json, input-major matrices, learned positions.
#include "alambic/io/gguf/architectures/words.h"

namespace alambic::gguf {

namespace {

constexpr GgufTensorRow tensors[] = {
    {"token_embd", "transformer.wte"},
    {"position_embd", "transformer.wpe"},
    {"blk.{}.attn_norm", "transformer.h.{}.ln_1"},
    {"blk.{}.attn_qkv", "transformer.h.{}.attn.c_attn", transpose},
    {"blk.{}.attn_output", "transformer.h.{}.attn.c_proj", transpose},
    {"blk.{}.ffn_norm", "transformer.h.{}.ln_2"},
    {"blk.{}.ffn_up", "transformer.h.{}.mlp.c_fc", transpose},
    {"blk.{}.ffn_down", "transformer.h.{}.mlp.c_proj", transpose},
    {"output_norm", "transformer.ln_f"},
};

constexpr GgufSetting own_sizes[] = {
    {"context_length", "n_positions", length, "1024", true},
    {"embedding_length", "n_embd", size, "", true},
    {"block_count", "n_layer", layers, "", true},
    {"feed_forward_length", "n_inner", size, "", true},
    {"attention.head_count", "n_head", size, "", true},
    {"attention.layer_norm_epsilon", "layer_norm_epsilon", real, "1e-5", true},
};

}  // namespace

constexpr GgufArchitecture gpt2_rows[] = {
    {.name = "gpt2",
     .model_type = "gpt2",
     .architecture = "GPT2LMHeadModel",
     .settings = own_sizes,
     .tensors = tensors,
     .constants = R"({"activation_function": "gelu_new", "tie_word_embeddings": true})",
     .rotary = false,
     .tied = true},
};
extern const std::span<const GgufArchitecture> gpt2 = gpt2_rows;

}  // namespace alambic::gguf
