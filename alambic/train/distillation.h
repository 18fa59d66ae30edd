// The main job: the student answers, the teacher grades every token, the student learns.
#pragma once

#include <memory>

#include "alambic/objective/divergence.h"
#include "alambic/rollout/engine.h"
#include "alambic/teacher/teachers.h"
#include "alambic/text/tokenizer.h"
#include "alambic/train/examples.h"
#include "alambic/train/lesson.h"

namespace alambic {

struct DistillationOptions {
  Divergence divergence;
  double ce_weight = 0;          ///< of the cross-entropy added on given completions
  double lmbda = 1;              ///< share of steps on the student's own answers
  int64_t batch_size = 16;       ///< prompts a step
  int64_t num_generations = 1;   ///< answers a prompt
  int64_t micro_batch_size = 0;  ///< answers per forward and backward pass; 0: all
  int64_t samples_per_step = 2;  ///< answers that go to samples.jsonl
  uint64_t seed = 0;
  EngineOptions engine;  ///< its step is set by the lesson
};

/// `examples` may lack completions only when lmbda is 1. `tokenizer` is for the samples' text.
/// Samples of a step are grouped by teacher.
std::unique_ptr<Lesson> distillation_lesson(Model& student, Teachers teachers,
                                            std::vector<TokenizedExample> examples,
                                            const Tokenizer& tokenizer,
                                            const DistillationOptions& options);

/// Whether step `step` learns from the student's own answers: drawn once for the whole optimizer
/// step, so micro-batches and ranks agree.
bool on_policy(uint64_t seed, int64_t step, double lmbda);

/// The rows of a batch whose completions the data gives, in the form of sampled ones (without
/// row_S).
Rollouts given_rollouts(const std::vector<const TokenizedExample*>& examples, at::Device device);

}  // namespace alambic
