#pragma once

#include <filesystem>
#include <memory>
#include <optional>

#include "alambic/model/lora_options.h"
#include "alambic/model/model.h"

namespace alambic {

struct LoadOptions {
  at::Device device = at::kCPU;
  at::ScalarType dtype = at::kFloat;
  bool trainable = false;  ///< tensors require gradients
  bool on_meta = false;    ///< everything stays on the meta device
  /// Nothing will write to the tensors: on a CPU those of the right dtype stay in the mapped files,
  /// and matrices in block formats or of 16 bits stay packed (tensor/weight.h), on an accelerator
  /// those that its kernels decode (kernels/device_packed.h), but for those that an adapter changes
  /// or saves whole.
  bool frozen = false;
  /// Products with FP8 weights in tiles of 128 × 128 are FP8 too (kernels/device_fp8.h); an input
  /// error where the device, the dtype or the model has none. With `frozen`.
  bool fp8_products = false;
  bool head_only = false;              ///< the rest stays on the meta device: shapes without data
  std::filesystem::path adapter = {};  ///< folder of an adapter to attach; empty: none
  /// Adapter that is to be attached and trained, while the rest is only read but what it saves
  /// whole. A tied head that it
  /// trains apart from the embedding becomes a tensor of its own, of the same numbers.
  std::optional<LoraOptions> lora = {};
  /// Takes over what lies in layers as they are read, one after the other, where loads_by_layers():
  /// of a model that neither a device nor a machine holds each rank has its part. Block formats are
  /// decoded. Null: nobody.
  LayerWeights* layers = nullptr;

  /// Whether nothing asks for numbers of the weights while the model is loaded, as an adapter of a
  /// folder may.
  bool loads_by_layers() const { return adapter.empty() && !on_meta && !head_only; }
};

/// Loads a Hugging Face folder or a GGUF file. A tensor that the files lack is an input error
/// naming it, and so is a wrong shape; what the files hold beside the model is named in a warning
/// and not used, as in transformers. On a CPU tensors of the right dtype stay in mapped safetensors
/// files, whose pages are copied when they are first written to; the files never change.
std::unique_ptr<Model> load_model(const std::filesystem::path& folder, const LoadOptions& options);

/// Random weights: normal draws of the family's deviation, one stream per tensor name. An input
/// error when they are more than free memory holds.
void init_weights(Model& model, uint64_t seed, const LoadOptions& options);

/// Writes config.json, generation_config.json (when `generation_config` is not null) and the
/// weights, in the model's dtype or in `dtype`, as transformers reads them. Packed weights are
/// decoded and adapters merged, one matrix at a time; the model stays as it is. `layers`: what has
/// its layers, each of which is brought when its turn has come; the other ranks call
/// follow_stream() meanwhile. Null: all are here.
void save_model(Model& model, const std::filesystem::path& folder, const Json& generation_config,
                std::optional<at::ScalarType> dtype = {}, LayerWeights* layers = nullptr);

}  // namespace alambic
