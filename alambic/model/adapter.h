// Low-rank adapters of a whole model, in memory and in the folders that PEFT reads and writes.
#pragma once

#include <filesystem>
#include <set>

#include "alambic/model/lora_options.h"
#include "alambic/model/model.h"

namespace alambic {

/// Freezes the model and gives every target an adapter that changes nothing yet: A uniform in
/// ±1/sqrt(in), B zero, as PEFT begins. An input error names a target that no linear map answers
/// to, and refuses the head and routed experts ("all-linear" leaves both out, as PEFT does).
/// What modules_to_save names keeps its gradients and gets no adapter; an input error names an
/// entry that no module answers to, routed experts, and a head that is tied (see needs_own_head).
/// `layers`: what has the model's layers, of which DoRA's norms are made one after the other; all
/// ranks call it. Null: all are here.
void attach_adapter(Model& model, const LoraOptions& options, uint64_t seed,
                    LayerWeights* layers = nullptr);

/// Names of the tensors that modules_to_save has trained whole. An input error names an entry that
/// no module answers to, and refuses routed experts.
std::set<std::string> tensors_saved_whole(Model& model, const LoraOptions& options);

/// Whether modules_to_save names the embedding or the head: PEFT trains each as a copy of its own,
/// so a model that ties them must be loaded with LoadOptions::own_head.
bool needs_own_head(const LoraOptions& options);

/// Makes the adapters part of the weights, which are dense then.
void merge_adapter(Model& model);

bool has_adapter(Model& model);

/// The embeddings keep their values (and a head that is tied to them).
void freeze_embeddings(Model& model);

/// Writes adapter_config.json and adapter_model.safetensors, with the modules that are saved whole;
/// `base` is the folder or name of the
/// model that the adapter belongs to. `layers` as save_model's.
void save_adapter(Model& model, const LoraOptions& options, const std::string& base,
                  const std::filesystem::path& folder, LayerWeights* layers = nullptr);

/// Attaches an adapter that PEFT or we wrote, as PEFT 0.21 does (adapter_config.h has its keys).
/// Maps of the head and of embeddings, new rows and whole modules become part of the weights.
/// Input errors name a key that is not read, a tensor that PEFT would use and the model has no
/// place for, one that is missing, a wrong shape, and an adapter that needs another model than this
/// one (a head of its own, more tokens): LoadOptions::adapter makes that model. Tensors that PEFT
/// ignores are named in a warning.
void load_adapter(Model& model, const std::filesystem::path& folder);

}  // namespace alambic
