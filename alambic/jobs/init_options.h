#pragma once

#include "alambic/options/options.h"

namespace alambic {

struct InitOptions : Options {
  std::string config, tokenizer, from, out, characters;
  int64_t layers = 0;
  int64_t hidden_size = 0, intermediate_size = 0, heads = 0;
  int64_t seed = 0;
  bool overwrite = false;

  void visit(OptionVisitor& v) override {
    v.group("Model");
    v.text("model-config", config, "config.json of the new model (a file or a model folder)")
        .model(/*weights=*/false)
        .not_with("from")
        .required_without("from");
    v.text("from", from,
           "model folder whose evenly spaced --layers are kept, with its embedding, "
           "norms and head; and of them, where a width is given, what has the largest weights")
        .model();
    v.integer("layers", layers, "layers of the new model; 0: as the configuration says",
              {.min = 0});
    v.integer("hidden-size", hidden_size, "channels that are kept; 0: all", {.min = 0})
        .only_with("from", {.hint = "a new model has the sizes of its --model-config"});
    v.integer("intermediate-size", intermediate_size,
              "MLP units that are kept in each layer; 0: all", {.min = 0})
        .only_with("from", {.hint = "a new model has the sizes of its --model-config"});
    v.integer("num-attention-heads", heads,
              "heads that are kept in each layer, in whole groups with their keys and "
              "values; 0: all",
              {.min = 0})
        .only_with("from", {.hint = "a new model has the sizes of its --model-config"});
    v.text("tokenizer", tokenizer, "model folder whose tokenizer is copied")
        .model(/*weights=*/false)
        .not_with("from", {.reason = "a cut model keeps its vocabulary"});
    v.text("characters", characters, "text file whose characters become the vocabulary instead")
        .path()
        .not_with("tokenizer or from", {.reason = "it makes a new vocabulary"});
    v.text("out", out, "folder of the new model").required().path();
    v.integer("seed", seed, "of the random weights", {.min = 0});
    v.flag("overwrite", overwrite, "replace the model in --out");
  }
};

}  // namespace alambic
