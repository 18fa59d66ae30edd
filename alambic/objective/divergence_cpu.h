// The row kernel of divergence_loss on a CPU: float32, no libtorch.
#pragma once

#include <cstdint>
#include <vector>

#include "alambic/objective/divergence_kind.h"

namespace alambic {

/// Sums of one row or over rows; KLs at the temperature, without T².
struct DivergenceSums {
  double value = 0;  ///< the weighted terms, with their powers of T
  double reverse_kl = 0;
  double forward_kl = 0;
  double student_entropy = 0;
  double teacher_entropy = 0;
  double agreement = 0;  ///< 1: the same most likely token
};

struct DivergenceRow {
  int64_t vocabulary;
  std::vector<WeightedTerm> terms;  ///< added up
  double temperature;
  /// The gradient of the value with regard to the student's logits is multiplied by this and, when
  /// softcap > 0, by the soft-cap's derivative 1 − (z / softcap)².
  double weight;
  double softcap;
  bool gradient;
};

/// Both rows hold `vocabulary` logits, start on 64 bytes and have room for a multiple of 16. With
/// row.gradient the student's row becomes the gradient and the teacher's row is scratch.
/// KLs are Σ p·(eˣ − 1 − x) ≥ 0 term by term: that keeps three digits where Σ p·(log p − log q) has
/// none left (docs/numerics.md). Sums are float32 over at most 64 terms,
/// then double. NaN or infinity in a row makes its sums non-finite.
DivergenceSums divergence_row(const DivergenceRow& row, float* student, float* teacher);

/// The same function for each instruction set that this machine has, widest last: tests run all.
using DivergenceKernel = DivergenceSums (*)(const DivergenceRow& row, float* student,
                                            float* teacher);
std::vector<DivergenceKernel> divergence_kernels();

}  // namespace alambic
