#include "alambic/io/gguf/llama_cpp_limits.h"

#include <fmt/format.h>

#include "alambic/io/gguf/architecture.h"
#include "alambic/io/gguf/text_part.h"

namespace alambic {

std::vector<std::string> llama_cpp_limits(const nlohmann::ordered_json& config,
                                          const std::string& where) {
  using Json = nlohmann::ordered_json;
  std::vector<std::string> limits;
  const GgufArchitecture& family = gguf_architecture_of(text_config(config), where);
  if (family.windowless && !config.value("sliding_window", Json()).is_null()) {
    limits.push_back(fmt::format(
        "llama.cpp has no sliding window for {}: beyond it, its completions differ from Alambic's",
        family.model_type));
  }
  if (config.value("linear_key_head_dim", Json()) !=
      config.value("linear_value_head_dim", Json())) {
    limits.emplace_back(
        "llama.cpp reads linear attention only where linear_value_head_dim is linear_key_head_dim");
  }
  return limits;
}

}  // namespace alambic
