// Low-rank adapters of a whole model, in memory and in the folders that PEFT reads and writes.
#pragma once

#include <filesystem>

#include "alambic/model/lora_options.h"
#include "alambic/model/model.h"

namespace alambic {

/// Freezes the model and gives every target an adapter that changes nothing yet: A uniform in
/// ±1/sqrt(in), B zero, as PEFT begins. An input error names a target that no linear map answers
/// to, and refuses the head and routed experts ("all-linear" leaves both out, as PEFT does).
void attach_adapter(Model& model, const LoraOptions& options, uint64_t seed);

/// Makes the adapters part of the weights: `save_model` then writes the adapted model.
void merge_adapter(Model& model);

bool has_adapter(Model& model);

/// The embeddings keep their values (and a head that is tied to them).
void freeze_embeddings(Model& model);

/// Writes adapter_config.json and adapter_model.safetensors; `base` is the folder or name of the
/// model that the adapter belongs to.
void save_adapter(Model& model, const LoraOptions& options, const std::string& base,
                  const std::filesystem::path& folder);

/// Attaches an adapter that PEFT or we wrote. Input errors name what is there that we do not
/// build (other methods than LoRA, trained biases, whole modules, alpha_pattern), a tensor that
/// fits no linear map, and a wrong shape.
void load_adapter(Model& model, const std::filesystem::path& folder);

}  // namespace alambic
