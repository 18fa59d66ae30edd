// Golden models and GGUF files of them.
#pragma once

#include "alambic/io/gguf/model.h"
#include "alambic/io/model_folder.h"
#include "tests/io/io_testing.h"

namespace alambic {

inline ModelFolder golden(const std::string& name) {
  return ModelFolder::open(fs::path(ALAMBIC_SOURCE_DIR) / "tests/golden" / name);
}

/// In float32, without a vocabulary.
inline fs::path written(const nlohmann::ordered_json& config,
                        const std::vector<TensorView>& tensors) {
  GgufMetadata tokenizer;
  tokenizer.add("tokenizer.ggml.model", std::string("no_vocab"));
  const fs::path file = fresh_folder() / "m.gguf";
  write_gguf_model(file, config, "m", tensors, *gguf_type_named("f32"), tokenizer);
  return file;
}

}  // namespace alambic
