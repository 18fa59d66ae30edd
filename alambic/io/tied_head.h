// Heads of models whose config.json ties them to the embedding, as transformers 5 reads them.
#pragma once

#include <nlohmann/json.hpp>

#include <string>
#include <vector>

#include "alambic/io/tensor_view.h"

namespace alambic {

/// Whether `config` ties the head to the embedding: "tie_word_embeddings", of a text part its own
/// or the whole model's, or the family's default.
bool is_head_tied(const nlohmann::ordered_json& config);

/// Puts a value where a language model's reader looks for it: in "text_config" where there is one
/// and at the top where the key stands or there is none.
void set_of_text(nlohmann::ordered_json& config, const std::string& key,
                 const nlohmann::ordered_json& value);

/// Makes a tied `config` and the tensors agree. A head with other numbers than the embedding is
/// kept, and "tie_word_embeddings" becomes false; a head without an embedding becomes the
/// embedding. Returns what is to be said about it, or "". `where` names the folder.
std::string settle_head(nlohmann::ordered_json& config, std::vector<TensorView>& tensors,
                        const std::string& where);

}  // namespace alambic
