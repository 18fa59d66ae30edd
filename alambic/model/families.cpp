#include "alambic/model/families.h"

#include <algorithm>

#include "alambic/base/error.h"
#include "alambic/base/log.h"
#include "alambic/base/names.h"
#include "alambic/io/config/complete_config.h"
#include "alambic/io/config/family_keys.h"
#include "alambic/model/config.h"

namespace alambic {

#define FAMILY(type, architecture) std::unique_ptr<Model> make_##type(const Config& config);
#include "alambic/model/families.def"
#undef FAMILY

namespace {

struct Family {
  std::string model_type;
  std::string architecture;
  std::unique_ptr<Model> (*make)(const Config&);
};

const Family families[] = {
#define FAMILY(type, architecture) {#type, architecture, make_##type},
#include "alambic/model/families.def"
#undef FAMILY
};

// For a configuration of no known family. An architecture of ours under another type may be ours
// with changes.
std::string hint_for(const JsonFields& config) {
  const Json& list = config.value("architectures");
  const auto* family =
      list.is_array() && !list.empty() && list[0].is_string()
          ? std::ranges::find(families, list[0].get<std::string>(), &Family::architecture)
          : std::end(families);
  if (family == std::end(families)) return "known architectures: " + join(known_architectures());
  return fmt::format(
      "transformers goes by model_type, and does not know this one either: if the model is a plain "
      "{}, write \"{}\" there",
      family->architecture, family->model_type);
}

// A model's config.json as we save it: without layers for multi-token prediction.
Json saved_config(Json config, const Json& completed) {
  const JsonFields fields{completed, ""};
  for (const char* key : {"num_nextn_predict_layers", "mtp_num_hidden_layers"}) {
    if (fields.integer(key, 0) > 0) config[key] = 0;
  }
  return config;
}

}  // namespace

std::vector<std::string> known_architectures() {
  std::vector<std::string> names;
  for (const Family& family : families) names.push_back(family.architecture);
  return names;
}

std::unique_ptr<Model> make_model(const Json& json, const std::string& where,
                                  const CountLimits& limits, int64_t layers) {
  const std::string type = model_type_of({json, where});
  const auto* family = std::ranges::find(families, type, &Family::model_type);
  if (family == std::end(families)) {
    const JsonFields fields{json, where};
    throw input_error("cannot build the model of {}: unknown architecture {} (model_type {})",
                      where, json_excerpt(fields.value("architectures")),
                      json_excerpt(fields.value("model_type")))
        .with_hint(hint_for(fields));
  }
  std::vector<std::string> notes;
  const Json completed = complete_config(json, where, limits, layers, &notes);
  for (const std::string& note : notes) warn(note);
  std::unique_ptr<Model> model = family->make({{completed, where}, limits});
  model->config = saved_config(text_config(json, where), completed);
  if (layers > 0) model->config[model->layer_count_key()] = layers;
  return model;
}

}  // namespace alambic
