#pragma once

#include <nlohmann/json.hpp>

#include <string>
#include <vector>

namespace alambic {

/// What llama.cpp (of 2026-10) does otherwise with a GGUF file of this model, or cannot read, in
/// sentences for the log; empty: nothing. `config` is config.json.
std::vector<std::string> llama_cpp_limits(const nlohmann::ordered_json& config);

}  // namespace alambic
