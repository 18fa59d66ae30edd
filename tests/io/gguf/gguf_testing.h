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
  write_gguf_model({file}, config, "m", tensors, *gguf_type_named("f32"), tokenizer);
  return file;
}

/// The file again with some metadata (a value, or nothing: without it) and a tensor in its place.
inline fs::path with(const GgufFile& file, const std::string& key, std::optional<GgufValue> value,
                     const std::optional<GgufTensor>& tensor = {}) {
  GgufMetadata metadata;
  for (const auto& [name, old] : file.metadata().items()) {
    if (name != key) metadata.add(name, old);
  }
  if (value) metadata.add(key, *value);
  std::vector<GgufTensor> tensors;
  for (const TensorView& old : file.tensors()) {
    if (tensor && old.name == tensor->name) continue;
    tensors.push_back({.name = old.name, .dtype = old.dtype, .shape = old.shape, .bytes = [=] {
                         return std::vector(old.bytes.begin(), old.bytes.end());
                       }});
  }
  if (tensor && !tensor->shape.empty()) tensors.push_back(*tensor);
  const fs::path path = fresh_folder() / "other.gguf";
  write_gguf({path}, metadata, tensors);
  return path;
}

inline GgufTensor floats(const std::string& name, const std::vector<float>& values) {
  return {.name = name, .dtype = Dtype::F32, .shape = {std::ssize(values)}, .bytes = [=] {
            const auto bytes = std::as_bytes(std::span(values));
            return std::vector(bytes.begin(), bytes.end());
          }};
}

}  // namespace alambic
