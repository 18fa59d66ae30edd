#pragma once

#include <memory>

#include "alambic/base/files.h"
#include "alambic/model/model.h"

namespace alambic {

/// Settings of a new model that its configuration lacks.
struct NewModel {
  int64_t layers = 0;  ///< 0: as the configuration says
  /// Tokens of its tokenizer, vocab_size where config.json has none; 0: there is no tokenizer.
  int64_t vocabulary = 0;
  uint64_t seed = 0;  ///< for the random weights
};

/// A model with random weights (load.h, init_weights) by `config`, a config.json or a folder with
/// one. Input errors name the file: make_model's, and a vocab_size below `vocabulary`.
std::unique_ptr<Model> new_model(const fs::path& config, const NewModel& settings);

}  // namespace alambic
