#include "alambic/io/gguf/llama_cpp_limits.h"

#include <fmt/format.h>

namespace alambic {

std::vector<std::string> llama_cpp_limits(const nlohmann::ordered_json& config) {
  using Json = nlohmann::ordered_json;
  std::vector<std::string> limits;
  const std::string type = config.value("model_type", "");
  const bool windowless = type == "mistral" || type == "mixtral" || type == "phi3";
  if (windowless && !config.value("sliding_window", Json()).is_null()) {
    limits.push_back(fmt::format(
        "llama.cpp has no sliding window for {}: beyond it, its completions differ from Alambic's",
        type));
  }
  if (config.value("linear_key_head_dim", Json()) !=
      config.value("linear_value_head_dim", Json())) {
    limits.emplace_back(
        "llama.cpp reads linear attention only where linear_value_head_dim is linear_key_head_dim");
  }
  return limits;
}

}  // namespace alambic
