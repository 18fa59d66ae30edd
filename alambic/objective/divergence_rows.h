#pragma once

#include "alambic/objective/divergence_cpu.h"
#include "alambic/objective/divergences/entry.h"
#include "alambic/objective/tensor_arithmetic.h"

namespace alambic {

/// divergence_row for every row of student_CV and teacher_CV (HeadChunks buffers of one dtype):
/// the kernel for float32 on a CPU, tensor operations elsewhere. Adds to `total`, float64 of six
/// numbers on the logits' device in the order of DivergenceSums. With row.gradient student_CV
/// becomes the gradient and teacher_CV is scratch.
void divergence_rows(const DivergenceRow& row, const Tensor& student_CV, const Tensor& teacher_CV,
                     const Tensor& total);

/// The weighted terms of some rows, in tensor operations.
struct TermTensors {
  Tensor value_C1;  ///< float64
  Tensor pull_CV;   ///< Σ weight·q·x, before the mean is taken off
};
TermTensors add_terms(const std::vector<WeightedTerm>& terms, const Entry<TensorArithmetic>& entry);

/// Akl's parameter of each row.
Tensor head_share_C1(const Tensor& p_CV, const Tensor& q_CV);

}  // namespace alambic
