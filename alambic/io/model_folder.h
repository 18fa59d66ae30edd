// A model: a Hugging Face folder (config.json and the weights, as safetensors or as PyTorch's own
// files, in one file or several) or a GGUF file.
#pragma once

#include <nlohmann/json.hpp>

#include "alambic/base/json_object.h"
#include "alambic/io/gguf/model.h"
#include "alambic/io/safetensors.h"
#include "alambic/io/torch_file.h"

namespace alambic {

class ModelFolder {
 public:
  /// Reads config.json and maps the weights: model.safetensors, or the shards that
  /// model.safetensors.index.json names; else pytorch_model.bin or its shards. The index and the
  /// shards must name the same tensors, and no name of the index may leave the folder; links are
  /// read like files. Counts of config.json that the tensors contradict are refused
  /// (count_limits.h). Folders of a base class become those of the language model (base_class.h),
  /// and a tied head is settled (tied_head.h). A file is read as GGUF, its config.json and its
  /// tensors' names being those that the folder would have.
  static ModelFolder open(const fs::path& path, Pages pages = Pages::read_only);

  /// config.json, without "quantization_config" where the tensors have their tiles' scales
  /// (tile_scales.h), and true of the tensors where it ties the head.
  const nlohmann::ordered_json& config() const { return config_; }
  /// Name of the configuration in errors.
  const std::string& config_name() const { return config_name_; }
  /// What whoever uses the weights should be told about them; "": nothing.
  const std::string& note() const { return note_; }
  /// Tensors of all shards; valid as long as this object.
  const std::vector<TensorView>& tensors() const { return tensors_; }
  /// copy_on_write where the tensors may be written to: only those of safetensors, no two of which
  /// share memory.
  Pages pages() const { return pages_; }
  /// MappedFile's.
  void release(std::span<const std::byte> part) const;
  /// The same for the whole of GGUF files, which nobody writes to: tensors that were made of theirs
  /// (rows in another order) have memory of their own, the others come back as they are touched.
  void release_gguf() const;

 private:
  static ModelFolder open_gguf(const fs::path& path);
  template <class File, class Open>
  void map_weights(const fs::path& folder, const std::string& single, std::vector<File>& files,
                   const Open& open_file);
  nlohmann::ordered_json config_;
  std::string config_name_, note_;
  std::vector<SafetensorsFile> files_;
  std::vector<TorchFile> torch_files_;
  std::vector<GgufModel> gguf_;  // at most one
  std::vector<TensorView> tensors_;
  Pages pages_ = Pages::read_only;
};

/// Writes config.json, generation_config.json (unless null) and the weights as transformers does:
/// one file up to `max_shard_bytes`, several with an index beyond. Weights that the folder had
/// under the other of the two names are removed, lest they be loaded instead; `tensors` may be made
/// of them. Holds the bytes of one tensor at a time.
void write_model_folder(const fs::path& folder, const nlohmann::ordered_json& config,
                        const nlohmann::ordered_json& generation_config,
                        const std::vector<TensorSource>& tensors,
                        uint64_t max_shard_bytes = 5'000'000'000);
/// The same of tensors as they are in memory.
void write_model_folder(const fs::path& folder, const nlohmann::ordered_json& config,
                        const nlohmann::ordered_json& generation_config,
                        const std::vector<TensorView>& tensors,
                        uint64_t max_shard_bytes = 5'000'000'000);

}  // namespace alambic
