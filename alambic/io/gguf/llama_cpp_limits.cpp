#include "alambic/io/gguf/llama_cpp_limits.h"

#include <fmt/format.h>

#include "alambic/base/json_fields.h"
#include "alambic/io/config/complete_config.h"
#include "alambic/io/gguf/architecture.h"

namespace alambic {

namespace {

using Json = nlohmann::ordered_json;

void add_rope_limits(const GgufArchitecture& family, const JsonFields& config,
                     std::vector<std::string>& limits) {
  const JsonFields rope = config.object("rope_parameters");
  const Json type = rope.value("rope_type");
  if ((type == "llama3" || type == "longrope") && family.name != "llama" && family.name != "phi3") {
    limits.push_back(fmt::format(
        "llama.cpp has rope_type {} for Llama and Phi-3 only: it does not load this file",
        type.dump()));
  }
  if (type == "yarn" && (rope.number("beta_fast", 32) != 32 || rope.number("beta_slow", 1) != 1)) {
    limits.emplace_back(
        "llama.cpp has YaRN with beta_fast 32 and beta_slow 1 only, whatever the file says");
  }
}

}  // namespace

std::vector<std::string> llama_cpp_limits(const nlohmann::ordered_json& config,
                                          const std::string& where) {
  std::vector<std::string> limits;
  const Json completed = complete_config(config, where);
  const JsonFields fields{completed, where};
  const GgufArchitecture& family = gguf_architecture_of(completed, where);
  if (family.windowless && fields.has("sliding_window")) {
    limits.push_back(fmt::format(
        "llama.cpp has no sliding window for {}: beyond it, its completions differ from Alambic's",
        family.model_type));
  }
  add_rope_limits(family, fields, limits);
  if (fields.value("linear_key_head_dim") != fields.value("linear_value_head_dim")) {
    limits.emplace_back(
        "llama.cpp reads linear attention only where linear_value_head_dim is linear_key_head_dim");
  }
  return limits;
}

}  // namespace alambic
