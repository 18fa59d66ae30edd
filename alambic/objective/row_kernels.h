// Kernels that visit rows of logits, by instruction set. Included by files that are compiled once
// for each (cmake/isa_kernels.cmake).
#pragma once

#include "alambic/objective/cross_entropy_cpu.h"
#include "alambic/objective/divergence_cpu.h"

namespace alambic {

struct RowKernels {
  DivergenceKernel divergence;
  CrossEntropyKernel cross_entropy;
};

#ifdef ALAMBIC_ISA
namespace ALAMBIC_ISA {

DivergenceSums divergence_row(const DivergenceRow& row, float* student, float* teacher);
CrossEntropySums cross_entropy_row(const CrossEntropyRow& row, int64_t target, float* logits);

}  // namespace ALAMBIC_ISA
#endif

}  // namespace alambic
