// The completions that one optimizer step learns from.
#pragma once

#include "alambic/dist/world.h"
#include "alambic/rollout/engine.h"
#include "alambic/teacher/teacher_mixture.h"
#include "alambic/text/tokenizer/tokenizer.h"
#include "alambic/train/span_grades.h"
#include "alambic/train/tokenized_rows.h"
#include "alambic/train/training_task.h"

namespace alambic {

/// Some completions that pass through the models together; all rows have the same teachers.
struct MicroBatch {
  Rollouts rollouts;
  /// Log-probabilities of the graded tokens by the teachers and the reference, kept for all steps
  /// on the same completions; undefined: not asked yet, or read by no term.
  Tensor teacher_logp_M, reference_logp_M;
  double teacher_share = 0;       ///< weights of the teachers in teacher_logp_M
  std::vector<SpanGrades> spans;  ///< grades of the teachers with other tokenizers
  Tensor advantage_M;  ///< advantage of each graded token's completion; undefined: no scores
};

struct StepBatch {
  std::vector<MicroBatch> micro_batches;  ///< this rank's
  int64_t tokens = 0;                     ///< graded, of all ranks
  int64_t sequences = 0;                  ///< of all ranks
  /// What the teachers of every group compare in all of it (Teacher::graded), in their order, on
  /// all ranks.
  std::vector<int64_t> graded;
};

/// The rows of a batch whose completions the data gives, in the form of sampled ones (without
/// row_S).
Rollouts given_rollouts(const std::vector<TokenizedExample>& examples, at::Device device);

/// Parts that both kinds of completions are made from. All of it must outlive the source.
struct CompletionSource {
  const TokenizedRows& examples;
  const TeacherMixture& teachers;
  size_t micro_batch_size = 0;  ///< 0: one piece per group of teachers
  at::Device device;
  const World& world;  ///< ranks that share the rows of a step, as near to equal parts as can be

  /// The given completions of these rows, this rank's alone in the micro-batches.
  StepBatch given(const std::vector<int64_t>& rows) const;
};

/// `count` completions of the student to each of these rows, one after the other; each rank writes
/// those of its rows, or takes part in writing them (train/joint_writing.h). Every prompt and
/// completion has its own random stream of engine.step, so that they are the same on any number of
/// ranks. Adds completion_length, eos_share, repetition (the share of 4-grams that a completion has
/// had before) and the first `samples` completions to the report.
StepBatch write_completions(const CompletionSource& source, const Model& student,
                            const Tokenizer& tokenizer, const std::vector<int64_t>& rows,
                            int64_t count, const EngineOptions& engine, int64_t samples,
                            StepReport& report);

}  // namespace alambic
