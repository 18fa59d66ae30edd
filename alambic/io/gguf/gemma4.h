// What the architecture gemma4 of GGUF says in other words than Gemma 4's config.json: numbers of
// each layer as lists, and which part of a head turns as a tensor that divides the frequencies
// (llama.cpp's conversion/gemma.py and src/models/gemma4.cpp).
#pragma once

#include <nlohmann/json.hpp>

#include "alambic/io/gguf/gguf.h"

namespace alambic {

/// Completes `config`, which has the plain settings. Input errors name the file and the key or
/// tensor: lists that are not one number a layer, layers of one type that differ.
void read_gemma4(const GgufMetadata& metadata, const std::vector<TensorView>& tensors,
                 nlohmann::ordered_json& config);

/// The reverse. Returns rope_freqs.weight, of layers without a window: 1 where a head turns, 1e30
/// where it stands still. Refuses, naming file and key, what llama.cpp cannot express.
std::vector<float> add_gemma4(const nlohmann::ordered_json& config, const std::string& where,
                              GgufMetadata& metadata);

}  // namespace alambic
