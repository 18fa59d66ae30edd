#pragma once

#include "alambic/objective/divergence_cpu.h"
#include "alambic/tensor/tensor.h"

namespace alambic {

/// divergence_row for every row of student_CV and teacher_CV (HeadChunks buffers of one dtype):
/// the kernel for float32 on a CPU, tensor operations elsewhere. Adds to `total`, float64 of six
/// numbers on the logits' device in the order of DivergenceSums. With row.gradient student_CV
/// becomes the gradient and teacher_CV is scratch.
void divergence_rows(const DivergenceRow& row, const Tensor& student_CV, const Tensor& teacher_CV,
                     const Tensor& total);

}  // namespace alambic
