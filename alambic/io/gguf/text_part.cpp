#include "alambic/io/gguf/text_part.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "alambic/io/split_experts.h"

namespace alambic {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::array left_out = {"model.visual.",       "model.vision_tower.", "model.audio_tower.",
                                 "model.embed_vision.", "model.embed_audio.",  "mtp."};

}  // namespace

Json text_config(const Json& config) {
  const Json names = config.value("architectures", Json());
  const Json text = config.value("text_config", Json());
  if (!text.is_object() || !names.is_array() || names.size() != 1) return config;
  for (const GgufArchitecture* family : gguf_architectures()) {
    if (family->whole.empty() || names[0] != family->whole) continue;
    Json own = text;
    own["architectures"] = Json::array();
    own["architectures"].push_back(family->architecture);
    own["model_type"] = family->model_type;
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
    if (!family.whole.empty()) {
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
