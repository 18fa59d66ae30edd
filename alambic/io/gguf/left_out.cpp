#include "alambic/io/gguf/left_out.h"

#include <charconv>

#include "alambic/base/contains.h"
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

}  // namespace

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
