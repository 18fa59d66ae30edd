// Models as GGUF files whose matrices are in a block format.
#pragma once

#include <gtest/gtest.h>

#include "alambic/io/model_folder.h"
#include "alambic/model/load.h"
#include "tests/model_fixture.h"

namespace alambic {

/// The tensors of a folder as a GGUF file of this name in the tests' folder.
inline fs::path gguf_of(const ModelFolder& model, const std::string& type,
                        const std::string& name) {
  fs::path file = fs::path(testing::TempDir()) / ("alambic_" + name + ".gguf");
  write_gguf_model({file}, model.config(), "m", model.tensors(), *gguf_type_named(type),
                   GgufMetadata("m", {{"tokenizer.ggml.model", std::string("no_vocab")}}));
  return file;
}

/// A model of this configuration with random weights.
inline fs::path gguf_of(const Json& config, const std::string& type, const std::string& name) {
  const std::unique_ptr<Model> model = make_model(config, "config.json");
  fill(*model);
  const fs::path folder = fs::path(testing::TempDir()) / ("alambic_" + name);
  fs::remove_all(folder);
  save_model(*model, folder, Json());
  return gguf_of(ModelFolder::open(folder), type, name);
}

/// Llama of widths that are whole blocks of 256.
inline Json wide_config(bool tied, int64_t layers = 2, int64_t width = 256,
                        int64_t vocabulary = 300) {
  Json config = small_llama_config(vocabulary);
  config["hidden_size"] = width;
  config["intermediate_size"] = 2 * width;
  config["num_hidden_layers"] = layers;
  config["tie_word_embeddings"] = tied;
  return config;
}

}  // namespace alambic
