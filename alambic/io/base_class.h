#pragma once

#include <nlohmann/json.hpp>

#include <vector>

#include "alambic/io/tensor_view.h"

namespace alambic {

/// Models that transformers saved without their head for language (AutoModel: LlamaModel, …) or
/// with another one (LlamaForSequenceClassification): "architectures" of `config` becomes that of
/// the language model of the family, and tensors without the prefix of the whole model get it
/// ("layers.0.…" is "model.layers.0.…"), as transformers does when it loads such a folder as a
/// language model. GPT-2's and DeepSeek-V4's published names, which have no prefix either, stay:
/// their readers know them.
void read_as_language_model(nlohmann::ordered_json& config, std::vector<TensorView>& tensors);

}  // namespace alambic
