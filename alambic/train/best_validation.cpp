#include "alambic/train/best_validation.h"

#include "alambic/base/error.h"
#include "alambic/base/file_system.h"
#include "alambic/base/sha256.h"

namespace alambic {
namespace {

constexpr const char* prefix = "best-";
constexpr const char* ending = ".safetensors";

}  // namespace

nlohmann::ordered_json json_of(const BestValidation& best) {
  nlohmann::ordered_json figures = nlohmann::ordered_json::object();
  for (const auto& [name, value] : best.figures) figures[name] = value;
  return {{"metric", best.metric}, {"value", best.value}, {"step", best.step},
          {"since", best.since},   {"figures", figures},  {"sha256", best.sha256}};
}

std::optional<BestValidation> best_of(const nlohmann::ordered_json& state) {
  if (!state.is_object() || !state.contains("best")) return std::nullopt;
  const auto& json = state["best"];
  const auto has = [&](const char* key, bool number) {
    return json.contains(key) && (number ? json[key].is_number() : json[key].is_string());
  };
  const bool whole = json.is_object() && has("metric", false) && has("value", true) &&
                     has("step", true) && has("since", true) && has("sha256", false) &&
                     json.contains("figures") && json["figures"].is_object();
  if (!whole) throw input_error("state.json: \"best\" is no validation");
  BestValidation best{.metric = json["metric"],
                      .value = json["value"],
                      .step = json["step"],
                      .since = json["since"],
                      .sha256 = json["sha256"]};
  for (const auto& [name, value] : json["figures"].items()) {
    if (value.is_number()) best.figures.emplace_back(name, value.get<double>());
  }
  return best;
}

fs::path best_weights_file(const fs::path& checkpoints, int64_t step) {
  return checkpoints / fmt::format("{}{:08}{}", prefix, step, ending);
}

bool is_best_weights(const fs::path& file) {
  const std::string name = file.filename();
  return name.starts_with(prefix) && name.ends_with(ending);
}

void check_best_weights(const fs::path& checkpoints, const BestValidation& best) {
  if (best.sha256.empty()) return;
  const fs::path file = best_weights_file(checkpoints, best.step);
  if (!is_file(file)) {
    throw input_error("{}, the weights of the best validation, is missing", file.string());
  }
  if (sha256_file(file) == best.sha256) return;
  throw input_error("{} is not what the checkpoint says: its digest differs", file.string());
}

}  // namespace alambic
