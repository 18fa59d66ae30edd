#include "alambic/io/gguf/text_part.h"

#include <algorithm>
#include <array>

#include "alambic/io/split_experts.h"

namespace alambic {

namespace {

using Json = nlohmann::ordered_json;

struct WholeModel {
  const char* name;
  const char* architecture;  // of its text part
  const char* model_type;
};

constexpr std::array whole_models = {
    WholeModel{"Gemma4ForConditionalGeneration", "Gemma4ForCausalLM", "gemma4_text"},
    WholeModel{"Qwen3_5ForConditionalGeneration", "Qwen3_5ForCausalLM", "qwen3_5_text"},
    WholeModel{"Qwen3_5MoeForConditionalGeneration", "Qwen3_5MoeForCausalLM", "qwen3_5_moe_text"},
};

constexpr std::array left_out = {"model.visual.",       "model.vision_tower.", "model.audio_tower.",
                                 "model.embed_vision.", "model.embed_audio.",  "mtp."};

bool has_text_part(const GgufArchitecture& family) {
  return std::ranges::any_of(whole_models, [&](const WholeModel& whole) {
    return family.architecture == whole.architecture;
  });
}

}  // namespace

Json text_config(const Json& config) {
  const Json names = config.value("architectures", Json());
  const Json text = config.value("text_config", Json());
  for (const WholeModel& whole : whole_models) {
    if (names != Json::array({whole.name}) || !text.is_object()) continue;
    Json own = text;
    own["architectures"] = {whole.architecture};
    own["model_type"] = whole.model_type;
    if (!own.contains("tie_word_embeddings") && config.contains("tie_word_embeddings")) {
      own["tie_word_embeddings"] = config["tie_word_embeddings"];
    }
    return own;
  }
  return config;
}

std::vector<TensorView> text_tensors(const GgufArchitecture& family,
                                     const std::vector<TensorView>& tensors) {
  const std::string inner = "model.language_model.";
  std::vector<TensorView> found;
  for (TensorView tensor : tensors) {
    if (has_text_part(family)) {
      const auto starts = [&](const char* start) { return tensor.name.starts_with(start); };
      if (std::ranges::any_of(left_out, starts)) continue;
      if (tensor.name.starts_with(inner)) tensor.name = "model." + tensor.name.substr(inner.size());
    }
    std::vector<TensorView> parts;
    if (places_of_hf(family, tensor.name).empty()) parts = split_experts(tensor);
    if (parts.empty()) parts.push_back(tensor);
    found.insert(found.end(), parts.begin(), parts.end());
  }
  return found;
}

}  // namespace alambic
