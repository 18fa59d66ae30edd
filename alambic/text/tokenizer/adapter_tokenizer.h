#pragma once

#include <string>

namespace alambic {

/// Where the tokenizer and the chat template of a model with an adapter are: the adapter's folder
/// where it has a tokenizer with other tokens than the model's (people add tokens and save both
/// beside the adapter), else the model's. `adapter` "": none.
std::string tokenizer_folder(const std::string& model, const std::string& adapter);

}  // namespace alambic
