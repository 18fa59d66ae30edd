// The model that a command trains: all of it, all but its embeddings, or an adapter beside it.
#pragma once

#include "alambic/jobs/model_card.h"
#include "alambic/model/adapter.h"
#include "alambic/model/pretrained.h"

namespace alambic {

/// Sets which tensors of a loaded model are trained, and attaches the adapter. `layers` as
/// attach_adapter's.
void select_trained(Model& model, const TrainableOptions& what, uint64_t seed,
                    LayerWeights* layers = nullptr);

/// `load`, with what the model must be like for these options: beside an adapter, only read.
LoadOptions load_for(const TrainableOptions& what, LoadOptions load);

int64_t trained_parameters(Model& model);

/// Loads the model of `folder` with gradients for what `what` says. `seed` is that of a new
/// adapter's weights and of its dropout.
Pretrained load_student(const std::string& folder, LoadOptions load, const TrainableOptions& what,
                        uint64_t seed);

/// Gives a model that has no weights yet those of `folder`, as load_student does.
void load_student_weights(Pretrained& student, const std::string& folder, LoadOptions load,
                          const TrainableOptions& what, uint64_t seed);

/// Writes `run`/model, whole and ready for any tool; where an adapter was trained, `run`/adapter
/// too, as PEFT reads it, and the model has it merged. The card gets a fact on what was trained.
/// `layers`: what has the student's layers, which are brought one after the other; null: all are
/// here. Rank 0 calls it, the others accompany_export().
void export_student(Pretrained& student, const std::string& folder, const TrainableOptions& what,
                    const fs::path& run, ModelCard card, DtypeChoice save_dtype,
                    LayerWeights* layers);
void accompany_export(LayerWeights* layers, const TrainableOptions& what);

}  // namespace alambic
