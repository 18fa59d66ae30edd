#include "alambic/io/gguf/left_out.h"

#include <algorithm>
#include <charconv>
#include <set>

#include "alambic/base/contains.h"
#include "alambic/base/error.h"
#include "alambic/base/printable.h"
#include "alambic/io/beside_model.h"

namespace alambic {

namespace {

using Json = nlohmann::ordered_json;

bool says(const Json& config, const char* flag) {
  const Json value = config.value(flag, Json());
  return value.is_boolean() && value.get<bool>();
}

bool has_attention_biases(const GgufArchitecture& family, const Json& config) {
  if (family.bias_flags) return says(config, "attention_bias");
  return !family.unbiased && Json::parse(family.constants).value("attention_bias", true);
}

// Name of the bias that a matrix of this name has by the configuration; "": it has none.
std::string bias_beside(const GgufArchitecture& family, const Json& config,
                        const std::string& matrix) {
  const auto ends = [&](std::initializer_list<const char*> names) {
    return std::ranges::any_of(names, [&](const char* name) { return matrix.ends_with(name); });
  };
  const bool attention =
      has_attention_biases(family, config) &&
      (ends({".self_attn.q_proj.weight", ".self_attn.k_proj.weight", ".self_attn.v_proj.weight"}) ||
       (family.bias_flags && ends({".self_attn.o_proj.weight"})));
  const bool mlp = family.bias_flags && says(config, "mlp_bias") &&
                   ends({".gate_proj.weight", ".up_proj.weight", ".down_proj.weight"});
  if (!attention && !mlp) return "";
  return matrix.substr(0, matrix.size() - std::string_view("weight").size()) + "bias";
}

}  // namespace

void check_is_whole(const GgufArchitecture& family, const Json& config,
                    const std::vector<TensorView>& tensors, const std::string& where) {
  std::set<std::string> names, asked;
  for (const TensorView& tensor : tensors) {
    names.insert(tensor.name);
    if (std::string bias = bias_beside(family, config, tensor.name); !bias.empty()) {
      asked.insert(std::move(bias));
    }
  }
  const auto head = std::ranges::find(family.tensors, "output", &GgufTensorRow::gguf);
  if (head != family.tensors.end() && !is_tied(family, config)) {
    asked.insert(std::string(head->hf) + ".weight");
  }
  for (const std::string& name : asked) {
    if (names.contains(name)) continue;
    throw input_error("cannot convert {}: it has no tensor {}, for which its config.json asks",
                      where, printable(name))
        .with_hint("an incomplete download, or weights that another class has saved");
  }
}

bool is_switched_off(const GgufArchitecture& family, const Json& config, const std::string& name,
                     const std::string& where) {
  if (contains(name, ".self_attn.") && name.ends_with("_proj.bias")) {
    return !has_attention_biases(family, config);
  }
  // Families with projections of these names have biases of them by the flag alone.
  for (const char* part : {"gate_proj.bias", "up_proj.bias", "down_proj.bias"}) {
    if (name.ends_with(part)) return !family.bias_flags || !says(config, "mlp_bias");
  }
  return family.words.is_switched_off != nullptr &&
         family.words.is_switched_off(config, name, where);
}

bool is_tied(const GgufArchitecture& family, const Json& config) {
  const auto found = config.find("tie_word_embeddings");
  return found != config.end() && found->is_boolean() ? found->get<bool>() : family.tied;
}

bool is_beyond(const std::string& name, const std::string& start, int64_t next,
               const Json& config) {
  if (next < 1 || !name.starts_with(start)) return false;
  int64_t layer = -1;
  std::from_chars(name.data() + start.size(), name.data() + name.size(), layer);
  return layer >= config.value("num_hidden_layers", int64_t{0});
}

bool is_left_out(const GgufArchitecture& family, const Json& config, const std::string& name) {
  return (is_tied(family, config) && name == "lm_head.weight") ||
         name.ends_with("rotary_emb.inv_freq") || name.ends_with(".attn.bias") ||
         name.ends_with(".attn.masked_bias") || is_beside_model(name) ||
         is_beyond(name, "model.layers.", config.value("num_nextn_predict_layers", int64_t{0}),
                   config);
}

}  // namespace alambic
