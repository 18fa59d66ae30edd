#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "alambic/io/tensor_view.h"

namespace alambic {

/// Whether a tensor of this name is one that other tools keep beside a language model and that its
/// logits do not depend on: a head for values or classes (TRL's v_head, score), a scale of the key
/// or value cache.
bool is_beside_model(std::string_view name);

/// What to say about those that are left out; "": there are none.
std::string left_beside(const std::vector<TensorView>& tensors, const std::string& where);

/// The adapter to load a model with: `adapter`, or, where that is "", the model's own folder if it
/// holds an adapter too, which transformers applies. An input error where there are both.
std::string adapter_of(const std::string& model, const std::string& adapter);

/// The first few of the names, fit to be printed, and how many more there are.
std::string some_names(const std::vector<std::string>& names);

}  // namespace alambic
