#include "alambic/io/generation_config.h"

#include <cmath>

#include "alambic/base/error.h"
#include "alambic/base/file_system.h"
#include "alambic/base/json_object.h"
#include "alambic/base/printable.h"
#include "alambic/io/gguf/generation.h"
#include "alambic/io/gguf/gguf.h"

namespace alambic {

namespace {

using Json = nlohmann::ordered_json;

constexpr const char* key = "eos_token_id";

}  // namespace

Json read_generation_config(const fs::path& model) {
  if (is_file(model)) return generation_config_of_gguf(GgufFile::open(model).metadata());
  const fs::path file = model / "generation_config.json";
  std::error_code error;
  return fs::exists(file, error) ? read_json_object(file) : Json(nullptr);
}

std::string generation_config_name(const fs::path& model) {
  return is_file(model) ? model.string() : (model / "generation_config.json").string();
}

std::vector<int32_t> eos_token_ids(const Json& config) {
  std::vector<int32_t> ids;
  if (!config.is_object() || !config.contains(key)) return ids;
  const Json& value = config[key];
  if (value.is_null()) return ids;
  for (const Json& id : value.is_array() ? value : Json::array({value})) {
    if (!id.is_number_integer() || std::abs(id.get<double>()) > INT32_MAX) {
      throw input_error(
          "generation_config.json or config.json: \"{}\" should be a token id or a list of such, "
          "found {}",
          key, printable(value.dump()));
    }
    ids.push_back(id.get<int32_t>());
  }
  return ids;
}

std::vector<int32_t> further_eos(const Json& config, std::optional<int32_t> eos) {
  if (!config.is_object() || !config.contains(key) || !config[key].is_array()) return {};
  std::vector<int32_t> ids = eos_token_ids(config);
  std::erase(ids, eos.value_or(-1));
  return ids;
}

}  // namespace alambic
