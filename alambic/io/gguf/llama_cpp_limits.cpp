#include "alambic/io/gguf/llama_cpp_limits.h"

#include <fmt/format.h>

#include "alambic/base/json_fields.h"
#include "alambic/io/config/complete_config.h"
#include "alambic/io/gguf/architecture.h"

namespace alambic {

std::vector<std::string> llama_cpp_limits(const nlohmann::ordered_json& config,
                                          const std::string& where) {
  using Json = nlohmann::ordered_json;
  std::vector<std::string> limits;
  const Json completed = complete_config(config, where);
  const JsonFields fields{completed, where};
  const GgufArchitecture& family = gguf_architecture_of(completed, where);
  if (family.windowless && fields.has("sliding_window")) {
    limits.push_back(fmt::format(
        "llama.cpp has no sliding window for {}: beyond it, its completions differ from Alambic's",
        family.model_type));
  }
  if (fields.value("linear_key_head_dim") != fields.value("linear_value_head_dim")) {
    limits.emplace_back(
        "llama.cpp reads linear attention only where linear_value_head_dim is linear_key_head_dim");
  }
  return limits;
}

}  // namespace alambic
