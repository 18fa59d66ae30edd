#include "alambic/io/generation_config.h"

#include "alambic/base/json_object.h"

namespace alambic {

namespace {

using Json = nlohmann::ordered_json;

constexpr const char* key = "eos_token_id";

}  // namespace

Json read_generation_config(const fs::path& model) {
  const fs::path file = model / "generation_config.json";
  std::error_code error;
  return fs::exists(file, error) ? read_json_object(file) : Json(nullptr);
}

Json generation_config_of(const Json& config) {
  Json generation = Json::object();
  for (const char* name : {"bos_token_id", key}) {
    if (config.contains(name)) generation[name] = config[name];
  }
  return generation;
}

std::vector<int32_t> eos_token_ids(const Json& config) {
  std::vector<int32_t> ids;
  if (!config.is_object() || !config.contains(key)) return ids;
  const Json& value = config[key];
  for (const Json& id : value.is_array() ? value : Json::array({value})) {
    if (id.is_number_integer()) ids.push_back(id.get<int32_t>());
  }
  return ids;
}

std::optional<int32_t> second_eos(const Json& config, std::optional<int32_t> eos) {
  if (!config.is_object() || !config.contains(key) || !config[key].is_array()) return std::nullopt;
  for (const int32_t id : eos_token_ids(config)) {
    if (id != eos.value_or(-1)) return id;
  }
  return std::nullopt;
}

void add_second_eos(Json& config, int64_t id) {
  if (!config.contains(key) || config[key] == id) return;
  config[key] = Json::array({config[key], id});
}

}  // namespace alambic
