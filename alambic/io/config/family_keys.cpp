#include "alambic/io/config/family_keys.h"

#include <algorithm>
#include <cmath>
#include <string_view>

#include "alambic/base/error.h"

namespace alambic {

namespace {

using Json = nlohmann::ordered_json;

struct Row {
  const char* model_type;
  const char* architecture;
  double theta;
  const char* spellings;
  const char* keys;
};

constexpr Row rows[] = {
#define FAMILY_KEYS(type, architecture, theta, spellings, keys) \
  {type, architecture, theta, spellings, keys},
#include "alambic/io/config/family_keys.def"
#undef FAMILY_KEYS
};

FamilyKey::Kind kind_named(std::string_view name) {
  constexpr std::pair<std::string_view, FamilyKey::Kind> names[] = {
      {"int", FamilyKey::integer},   {"whole", FamilyKey::whole},  {"real", FamilyKey::real},
      {"flag", FamilyKey::flag},     {"text", FamilyKey::text},    {"texts", FamilyKey::texts},
      {"ints", FamilyKey::integers}, {"object", FamilyKey::object}};
  for (const auto& [known, kind] : names) {
    if (known == name) return kind;
  }
  throw bug("family_keys.def: unknown kind {}", name);
}

// "name:kind" or "name:kind?".
FamilyKey key_of(const std::string& entry, const Json& otherwise) {
  const size_t colon = entry.find(':');
  std::string kind = entry.substr(colon + 1);
  const bool nullable = kind.ends_with('?');
  if (nullable) kind.pop_back();
  return {.name = entry.substr(0, colon),
          .kind = kind_named(kind),
          .nullable = nullable,
          .otherwise = otherwise};
}

}  // namespace

void FamilyKey::check(const JsonFields& fields, const std::string& spelling) const {
  if (nullable && fields.value(spelling).is_null()) return;
  switch (kind) {
    case integer:
      fields.integer(spelling);
      return;
    case whole: {
      const double number = fields.number(spelling);
      fields.expect(number == std::floor(number) && std::fabs(number) < 0x1p31, spelling,
                    "a whole number below 2^31");
      return;
    }
    case real:
      fields.number(spelling);
      return;
    case flag:
      fields.flag(spelling);
      return;
    case text:
      fields.text(spelling);
      return;
    case texts:
      fields.texts(spelling);
      return;
    case integers:
      fields.integers(spelling);
      return;
    case object:
      fields.expect(fields.value(spelling).is_object(), spelling, "an object");
      return;
  }
}

bool FamilyKeys::reads(const std::string& key) const {
  return std::ranges::find(keys, key, &FamilyKey::name) != keys.end();
}

std::vector<std::string> config_model_types() {
  std::vector<std::string> types;
  for (const Row& row : rows) types.emplace_back(row.model_type);
  return types;
}

FamilyKeys family_keys(const std::string& model_type) {
  const auto* row = std::ranges::find(rows, std::string_view(model_type), &Row::model_type);
  check(row != std::end(rows), "no keys of the family {}", model_type);
  FamilyKeys family = {.model_type = row->model_type,
                       .architecture = row->architecture,
                       .theta = row->theta,
                       .spellings = {},
                       .keys = {}};
  const Json spellings = Json::parse(row->spellings), keys = Json::parse(row->keys);
  for (const auto& [other, key] : spellings.items()) {
    family.spellings.emplace_back(other, key.get<std::string>());
  }
  for (const auto& [entry, otherwise] : keys.items()) {
    family.keys.push_back(key_of(entry, otherwise));
  }
  return family;
}

const std::set<std::string>& all_family_keys() {
  static const std::set<std::string> all = [] {
    std::set<std::string> names;
    for (const std::string& type : config_model_types()) {
      const FamilyKeys family = family_keys(type);
      for (const FamilyKey& key : family.keys) names.insert(key.name);
      for (const auto& [spelling, key] : family.spellings) names.insert(spelling);
    }
    return names;
  }();
  return all;
}

const std::vector<WholeModel>& whole_models() {
  static const std::vector<WholeModel> models = {
      {"gemma3", "Gemma3ForConditionalGeneration", "gemma3_text", true},
      {"gemma4", "Gemma4ForConditionalGeneration", "gemma4_text", true},
      {"qwen3_5", "Qwen3_5ForConditionalGeneration", "qwen3_5_text"},
      {"qwen3_5_moe", "Qwen3_5MoeForConditionalGeneration", "qwen3_5_moe_text"},
  };
  return models;
}

std::string model_type_of(const JsonFields& config) {
  const std::string type = config.text("model_type", "");
  const std::vector<std::string> architectures =
      config.has("architectures") ? config.texts("architectures") : std::vector<std::string>();
  const std::string architecture = architectures.empty() ? "" : architectures[0];
  // As in transformers, the type counts alone where there is one.
  const auto is_it = [&](const std::string& model_type, const std::string& class_name) {
    return type.empty() ? architecture == class_name : type == model_type;
  };
  for (const Row& row : rows) {
    if (is_it(row.model_type, row.architecture)) return row.model_type;
  }
  for (const WholeModel& whole : whole_models()) {
    if (is_it(whole.model_type, whole.architecture)) return whole.model_type;
  }
  return "";
}

}  // namespace alambic
