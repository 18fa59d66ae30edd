// Divergences over K tokens and one bucket for all the others.
#pragma once

#include "alambic/objective/divergence.h"
#include "alambic/objective/divergence_cpu.h"

namespace alambic {

/// Least tail of a teacher that gives some tokens' log-probabilities: in float32 a smaller one
/// cannot be told from none.
inline constexpr double kLeastTail = 0x1p-24;

/// Choice of the tokens that get a bucket of their own.
struct TopKChoice {
  int64_t size = 0;  ///< 0: as many as the teacher gives
  TopKBy by = TopKBy::teacher;
};

/// divergence_loss with topk; row.weight is 1 / normalizer, row.gradient is not read. Both tails
/// are the sums of the other probabilities, never 1 − Σ.
Loss topk_sum(const DivergenceRow& row, const TopKChoice& choice, const Tensor& student_MD,
              const Head& student, const HiddenStates& teacher, const ChunkOptions& chunk);

/// The same for a teacher that gives its K most likely tokens alone: its tail is 1 − Σ of their
/// probabilities, at least kLeastTail while tokens are left for it. Input errors: tokens chosen by
/// the student or both, more than the teacher gives, a token that the student does not have.
Loss topk_sum(const DivergenceRow& row, const TopKChoice& choice, const Tensor& student_MD,
              const Head& student, const TopK& teacher, const ChunkOptions& chunk);

}  // namespace alambic
