// What can be known about a distillation before its first step without computing anything.
#pragma once

#include <string>
#include <vector>

#include "alambic/jobs/distill_options.h"
#include "alambic/jobs/preflight/findings.h"
#include "alambic/model/pretrained.h"
#include "alambic/text/chat/chat_source.h"

namespace alambic {

/// A model without its weights: shapes, tokenizer and what trains.
struct MetaModel {
  std::string folder;
  Pretrained model;
};

/// The models of a run, shapes only: nothing is read but headers, so a run that does not fit in
/// memory is told before it is loaded. Input errors as those of loading and of the data.
struct MetaModels {
  MetaModel student;
  std::vector<MetaModel> teachers;  ///< those with a folder: not "self"
  ChatSource chats;
  std::vector<Example> rows;  ///< of --data
  std::optional<MetaModel> judge;

  MetaModels(const DistillOptions& options, const LoadOptions& load);
};

/// Whether each teacher has the student's vocabulary, and padded rows.
Findings check_vocabularies(const MetaModels& models);

/// Special tokens, EOS and chat templates.
Findings check_forms(const MetaModels& models);

/// Whether the student's completions are drawn from the distribution that the objective grades.
Finding check_sampling(const DistillOptions& options);

/// Rows that are empty, or too long for the shortest context of the models.
Findings check_data(const DistillOptions& options, const MetaModels& models);

/// Bytes of one part of a run.
struct MemoryPart {
  std::string name;
  double bytes = 0;
  bool in_files = false;  ///< mapped: what memory has no room for is read again when it is used
};

/// Weights, gradients, the optimizer's state, the cache of running completions, and what a learning
/// pass keeps for its backward pass (an estimate), for completions of full length.
std::vector<MemoryPart> memory_plan(const DistillOptions& options, const MetaModels& models,
                                    const LoadOptions& load);

/// The plan against `available` bytes; less than a tenth to spare is a warning, and so is too
/// little where --on-too-little-memory says so, and weights that are mapped but do not fit.
Finding check_memory(const DistillOptions& options, const std::vector<MemoryPart>& plan,
                     double available);

/// Free memory of the CPU, before anything is loaded; infinite for a GPU, which is not asked.
double available_memory(at::Device device);

/// The rows of --data, and the template by which their conversations were written.
struct RunData {
  ChatSource chats;
  std::vector<Example> rows;
};

/// The part that costs nothing, which `distill` runs itself: all but the vocabularies and the data,
/// which it reads anyway. Says warnings and throws for a refusal.
RunData preflight(const DistillOptions& options, const LoadOptions& load);

}  // namespace alambic
