#include "alambic/model/new_model.h"

#include "alambic/base/error.h"
#include "alambic/base/file_system.h"
#include "alambic/base/json_object.h"
#include "alambic/model/families.h"
#include "alambic/model/load.h"

namespace alambic {

std::unique_ptr<Model> new_model(const fs::path& path, const NewModel& settings) {
  const fs::path file = is_folder(path) ? path / "config.json" : path;
  Json config = read_json_object(file);
  if (settings.vocabulary > 0 && !config.contains("vocab_size"))
    config["vocab_size"] = settings.vocabulary;
  std::unique_ptr<Model> model = make_model(config, file.string(), {}, settings.layers);
  if (settings.vocabulary > model->shape().vocabulary) {
    throw input_error("{}: vocab_size is {}, but the tokenizer has {} tokens", file.string(),
                      model->shape().vocabulary, settings.vocabulary)
        .with_hint("leave vocab_size out of the configuration to take the tokenizer's");
  }
  init_weights(*model, settings.seed, {});
  return model;
}

}  // namespace alambic
