#include "alambic/model/families.h"

#include "alambic/base/error.h"
#include "alambic/base/names.h"
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

}  // namespace

std::vector<std::string> known_architectures() {
  std::vector<std::string> names;
  for (const Family& family : families) names.push_back(family.architecture);
  return names;
}

std::unique_ptr<Model> make_model(const Json& json, const std::string& where,
                                  const CountLimits& limits, int64_t layers) {
  const Config config{json, where, limits, layers};
  const std::string architecture = config.architecture();
  const std::string type = config.text("model_type", "");
  for (const Family& family : families) {
    if (architecture.empty() ? type == family.model_type : architecture == family.architecture) {
      std::unique_ptr<Model> model = family.make(config);
      if (model->config.is_null()) model->config = json;
      if (layers > 0) model->config[model->layer_count_key()] = layers;
      return model;
    }
  }
  throw input_error("cannot build the model of {}: unknown architecture \"{}\" (model_type \"{}\")",
                    where, architecture, type)
      .with_hint("known architectures: " + join(known_architectures()));
}

}  // namespace alambic
