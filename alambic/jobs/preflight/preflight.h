// Checks of a distillation before its first step that compute nothing.
#pragma once

#include <string>
#include <vector>

#include "alambic/jobs/distill_plan.h"
#include "alambic/jobs/preflight/findings.h"

namespace alambic {

/// Whether each teacher has the student's vocabulary, and padded rows.
Findings check_vocabularies(const DistillPlan& plan);

/// Special tokens, EOS and chat templates.
Findings check_forms(const DistillPlan& plan);

/// Whether the student's completions are drawn from the distribution that the objective grades.
Finding check_sampling(const DistillPlan& plan);

/// Rows that are empty, or too long for the shortest context of the models.
Findings check_data(const DistillPlan& plan);

/// Bytes of one part of a run.
struct MemoryPart {
  std::string name;
  double bytes = 0;
  bool in_files = false;  ///< mapped: what memory has no room for is read again when it is used
};

/// Of a rank that learns: weights, gradients, the optimizer's state, the cache of running
/// completions, and what a learning pass keeps for its backward pass (an estimate), for completions
/// of full length.
std::vector<MemoryPart> memory_plan(const DistillPlan& plan);

/// The same of a rank of the teachers' own: their weights, a pass, and the grades of a step until
/// the learners have them.
std::vector<MemoryPart> teacher_memory_plan(const DistillPlan& plan);

/// These parts against the bytes that are free, for each role that ranks have; less than a tenth to
/// spare is a warning, and so is too little where --on-too-little-memory says so, and weights that
/// are mapped but do not fit.
Findings check_memory(const DistillPlan& plan);

/// Free memory of the CPU, before anything is loaded; infinite for a GPU, which is not asked.
double available_memory(at::Device device);

/// The part that costs nothing, which a distillation looks at itself: all but the vocabularies and
/// the data, which loading refuses anyway.
Findings preflight(const DistillPlan& plan);

}  // namespace alambic
