#pragma once

#include <string>
#include <utility>
#include <vector>

#include "alambic/base/files.h"
#include "alambic/model/model.h"

namespace alambic {

/// Sequences of token ids of a JSON file, [[1, 2, 3], [4, 5]]. Input errors name the file and the
/// sequence: no list, none at all, longer than the model's context, an id beyond its vocabulary.
std::vector<std::vector<int32_t>> read_sequences(const fs::path& file, const ModelShape& shape);

/// Logits of each sequence by itself, without gradients: "logits.i" [T, V], and where `hidden` asks
/// for it the hidden state after the final norm, "hidden.i" [T, D]; float32.
std::vector<std::pair<std::string, Tensor>> logits_of(
    const Model& model, const std::vector<std::vector<int32_t>>& sequences, at::Device device,
    bool hidden);

}  // namespace alambic
