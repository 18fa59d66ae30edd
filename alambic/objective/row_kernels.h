// What one logit costs: the kernels that visit rows of them, by instruction set. Included by files
// that are compiled once for each (cmake/isa_kernels.cmake).
#pragma once

#include "alambic/objective/cross_entropy_cpu.h"
#include "alambic/objective/divergence_cpu.h"

namespace alambic {

struct RowKernels {
  DivergenceKernel divergence;
  CrossEntropyKernel cross_entropy;
};

/// Of the instruction set with this name in CpuTable.
const RowKernels& row_kernels(const char* isa);

#ifdef ALAMBIC_ISA
namespace ALAMBIC_ISA {

DivergenceSums divergence_row(const DivergenceRow& row, float* student, float* teacher);
CrossEntropySums cross_entropy_row(const CrossEntropyRow& row, int64_t target, float* logits);

#if defined(__AVX512F__)
inline constexpr int vector_bytes = 64;
#elif defined(__AVX2__)
inline constexpr int vector_bytes = 32;
#else
inline constexpr int vector_bytes = 16;
#endif

}  // namespace ALAMBIC_ISA
#endif

}  // namespace alambic
