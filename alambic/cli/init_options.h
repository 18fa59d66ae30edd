#pragma once

#include "alambic/base/options.h"

namespace alambic {

struct InitOptions : Options {
  std::string config, tokenizer, from, out, characters;
  int64_t layers = 0;
  int64_t seed = 0;
  bool overwrite = false;

  void visit(OptionVisitor& v) override {
    v.group("Model");
    v.text("model-config", config, "config.json of the new model (a file or a model folder)");
    v.model("model-config", /*weights=*/false);
    v.text("from", from,
           "model folder whose evenly spaced --layers are kept, with its embedding, "
           "norms and head");
    v.model("from");
    v.integer("layers", layers, "layers of the new model; 0: as the configuration says",
              {.least = 0});
    v.text("tokenizer", tokenizer, "model folder whose tokenizer is copied");
    v.model("tokenizer", /*weights=*/false);
    v.text("characters", characters, "text file whose characters become the vocabulary instead");
    v.text("out", out, "folder of the new model");
    v.required("out");
    v.integer("seed", seed, "of the random weights", {.least = 0});
    v.flag("overwrite", overwrite, "replace the model in --out");
  }
};

int run(const InitOptions& options);

}  // namespace alambic
