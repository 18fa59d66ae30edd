// A model between a Hugging Face folder's tensors and a GGUF file.
#pragma once

#include <map>
#include <nlohmann/json.hpp>

#include "alambic/io/gguf/architecture.h"
#include "alambic/io/gguf/gguf.h"

namespace alambic {

/// A GGUF file as if it were a model folder.
struct GgufModel {
  GgufFile file;
  nlohmann::ordered_json config;
  /// Tensors under Hugging Face's names; into `file`, or made of it where rows or numbers differ.
  std::vector<TensorView> tensors;
};

/// Reads the header, and of the tensors only rope_freqs.weight: whatever differs between the two
/// sides is made when its bytes are asked for. Errors name the file and the key or tensor: unknown
/// architectures, missing or impossible hyper-parameters, tensors that are not part of the
/// architecture.
GgufModel open_gguf_model(const fs::path& path);

/// Formats that a file is written in.
struct GgufType {
  Dtype dtype = Dtype::F32;  ///< format of matrices; vectors are F32, as llama.cpp wants them
  uint32_t file_type = 0;    ///< general.file_type
};
/// The formats of a --type: f32, f16, bf16, q8_0, q4_0, q4_k, q6_k, mxfp4; nothing: no such name.
std::optional<GgufType> gguf_type_named(std::string_view name);
std::vector<std::string> gguf_type_names();

struct GgufWritten {
  std::vector<fs::path> files;
  std::map<Dtype, int64_t> counts;  ///< of tensors in each format
};

/// Writes the model, of one that also sees or hears the text part. `tokenizer` is what
/// add_gguf_tokenizer made. The head (or the embedding that serves as one) is Q6_K beside 4-bit
/// matrices; beside experts in MXFP4 other matrices are BF16; a matrix whose rows are no whole
/// blocks is Q8_0 or F16. Input errors name the tensor that is not part of the architecture, or
/// that the type cannot hold.
GgufWritten write_gguf_model(const GgufPlace& place, const nlohmann::ordered_json& config,
                             const std::string& where, const std::vector<TensorView>& tensors,
                             const GgufType& type, const GgufMetadata& tokenizer);

}  // namespace alambic
