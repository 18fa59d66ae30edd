#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace alambic {

/// What llama.cpp (of 2026-10) does otherwise with a GGUF file of this model, or cannot read, in
/// sentences for the log; empty: nothing. `config` is config.json, `where` names the model in
/// errors: an architecture that no file is written for.
std::vector<std::string> llama_cpp_limits(const nlohmann::ordered_json& config,
                                          const std::string& where);

}  // namespace alambic
