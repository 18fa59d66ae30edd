#include "alambic/io/gguf/architecture.h"

#include <algorithm>
#include <array>

#include "alambic/base/error.h"
#include "alambic/base/names.h"
#include "alambic/base/printable.h"
#include "alambic/io/gguf/sizes.h"
#include "alambic/io/gguf/tensor_rows.h"

namespace alambic {

namespace {

using namespace gguf;

constexpr std::string_view silu = R"({"hidden_act": "silu"})";
constexpr std::string_view qwen_constants =
    R"({"hidden_act": "silu", "use_sliding_window": false})";
constexpr std::string_view qwen35_constants =
    R"({"hidden_act": "silu", "attention_bias": false, "attn_output_gate": true})";
constexpr std::string_view gemma_constants =
    R"({"hidden_activation": "gelu_pytorch_tanh", "attention_bias": false,
        "tie_word_embeddings": true})";

// The first of a name is what a GGUF file becomes; the first of an architecture is what is written.
const std::array families = {
    GgufArchitecture{"llama", "llama", "LlamaForCausalLM", sizes, llama, silu, true, true},
    GgufArchitecture{"llama", "mistral", "MistralForCausalLM", sizes, llama, silu},
    GgufArchitecture{"llama", "mixtral", "MixtralForCausalLM", sizes, llama, silu},
    GgufArchitecture{"qwen3moe", "qwen3_moe", "Qwen3MoeForCausalLM", qwen_moe_sizes, qwen,
                     R"({"hidden_act": "silu", "use_sliding_window": false, "attention_bias": false,
                         "norm_topk_prob": true, "decoder_sparse_step": 1, "mlp_only_layers": []})"},
    GgufArchitecture{"smollm3", "smollm3", "SmolLM3ForCausalLM", sizes, llama,
                     R"({"hidden_act": "silu", "use_sliding_window": false})", true, true},
    GgufArchitecture{"qwen2", "qwen2", "Qwen2ForCausalLM", sizes, qwen, qwen_constants},
    GgufArchitecture{"qwen3", "qwen3", "Qwen3ForCausalLM", sizes, qwen,
                     R"({"hidden_act": "silu", "use_sliding_window": false,
                         "attention_bias": false})"},
    GgufArchitecture{"qwen35", "qwen3_5_text", "Qwen3_5ForCausalLM", qwen35_sizes, qwen35,
                     qwen35_constants},
    GgufArchitecture{"qwen35moe", "qwen3_5_moe_text", "Qwen3_5MoeForCausalLM", qwen35_sizes, qwen35,
                     qwen35_constants},
    GgufArchitecture{"gemma2", "gemma2", "Gemma2ForCausalLM", sizes, gemma, gemma_constants},
    GgufArchitecture{"gemma3", "gemma3_text", "Gemma3ForCausalLM", sizes, gemma, gemma_constants},
    GgufArchitecture{"gemma4", "gemma4_text", "Gemma4ForCausalLM", gemma4_sizes, gemma4,
                     R"({"hidden_activation": "gelu_pytorch_tanh", "attention_bias": false})",
                     /*rotary=*/false},
    GgufArchitecture{"olmo2", "olmo2", "Olmo2ForCausalLM", sizes, olmo2,
                     R"({"hidden_act": "silu", "attention_bias": false})"},
    GgufArchitecture{"phi3", "phi3", "Phi3ForCausalLM", sizes, phi3, silu},
    GgufArchitecture{"gpt-oss", "gpt_oss", "GptOssForCausalLM", gpt_oss_sizes, gpt_oss,
                     R"({"hidden_act": "silu", "attention_bias": true, "swiglu_alpha": 1.702,
                         "swiglu_limit": 7.0})"},
    GgufArchitecture{"deepseek2", "deepseek_v2", "DeepseekV2ForCausalLM", deepseek_sizes, deepseek,
                     R"({"hidden_act": "silu", "attention_bias": false, "mlp_bias": false,
                         "moe_layer_freq": 1, "norm_topk_prob": false, "scoring_func": "softmax"})",
                     /*rotary=*/false},
    GgufArchitecture{"deepseek2", "deepseek_v3", "DeepseekV3ForCausalLM", deepseek_sizes, deepseek,
                     R"({"hidden_act": "silu", "attention_bias": false, "moe_layer_freq": 1,
                         "rope_interleave": true, "scoring_func": "sigmoid",
                         "topk_method": "noaux_tc"})",
                     /*rotary=*/false},
    GgufArchitecture{"deepseek32", "deepseek_v32", "DeepseekV32ForCausalLM", deepseek32_sizes,
                     deepseek32,
                     R"({"hidden_act": "silu", "attention_bias": false, "moe_layer_freq": 1,
                         "rope_interleave": true, "scoring_func": "sigmoid",
                         "topk_method": "noaux_tc"})",
                     /*rotary=*/false},
    GgufArchitecture{"gptneox", "gpt_neox", "GPTNeoXForCausalLM", neox_sizes, neox,
                     R"({"hidden_act": "gelu", "attention_bias": true})"},
    GgufArchitecture{"gpt2", "gpt2", "GPT2LMHeadModel", gpt2_sizes, gpt2,
                     R"({"activation_function": "gelu_new", "tie_word_embeddings": true})",
                     /*rotary=*/false},
};

}  // namespace

const GgufArchitecture& gguf_architecture(std::string_view name, const std::string& where) {
  std::vector<std::string> known;
  for (const GgufArchitecture& family : families) {
    if (family.name == name) return family;
    if (known.empty() || known.back() != family.name) known.emplace_back(family.name);
  }
  throw input_error("cannot read {}: general.architecture is \"{}\", which is not known", where,
                    printable(name))
      .with_hint("known architectures: " + join(known));
}

const GgufArchitecture& gguf_architecture_of(const nlohmann::ordered_json& config,
                                             const std::string& where) {
  const auto list = config.value("architectures", nlohmann::ordered_json());
  const bool named = list.is_array() && !list.empty() && list[0].is_string();
  const auto type = config.value("model_type", nlohmann::ordered_json());
  std::vector<std::string> known;
  for (const GgufArchitecture& family : families) {
    if (named ? list[0] == family.architecture : type == family.model_type) return family;
    known.emplace_back(family.architecture);
  }
  throw input_error("cannot convert {}: GGUF files of the architecture {} are not written", where,
                    printable(named ? list[0].dump() : type.dump()))
      .with_hint("known architectures: " + join(known));
}

}  // namespace alambic
