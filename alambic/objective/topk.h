// Divergences over K tokens and one bucket for all the others.
#pragma once

#include "alambic/objective/divergence.h"
#include "alambic/objective/divergence_cpu.h"

namespace alambic {

struct TopK {
  int64_t size = 0;  ///< 0: as many as the teacher output has
  TopKBy by = TopKBy::teacher;
};

/// divergence_loss with topk; row.weight is 1 / normalizer, row.gradient is not read. The student's
/// tail is the sum of its other probabilities, never 1 − Σ; the teacher's too where its hidden
/// states are there, and otherwise 1 − Σ of the given probabilities, at least 2⁻²⁴ while tokens are
/// left for it. Input errors: `by` student or both without the teacher's hidden states, more than
/// the teacher output has.
Loss topk_sum(const DivergenceRow& row, const TopK& topk, const Tensor& student_MD,
              const Head& student, const TeacherOutput& teacher_output, const ChunkOptions& chunk);

}  // namespace alambic
