#include "alambic/io/gguf/text_part.h"

#include <algorithm>
#include <array>

#include "alambic/io/split_experts.h"

namespace alambic {

namespace {

constexpr std::array left_out = {"model.visual.",       "model.vision_tower.", "model.audio_tower.",
                                 "model.embed_vision.", "model.embed_audio.",  "mtp."};

}  // namespace

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
