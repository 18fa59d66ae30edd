// The row kernel of cross_entropy_loss on a CPU: float32, no libtorch.
#pragma once

#include <cstdint>

namespace alambic {

struct CrossEntropyRow {
  int64_t vocabulary;
  double temperature;
  double weight;   ///< factor of the gradient with regard to logits / T
  double softcap;  ///< 0: none
  bool gradient;
};

struct CrossEntropySums {
  double cross_entropy = 0;  ///< −log softmax(logits / T)[target]
  double agreement = 0;      ///< 1: the target is the most likely token
};

/// `logits` as divergence_row's; with row.gradient it becomes weight · (q − 1_target), times the
/// soft-cap's derivative.
CrossEntropySums cross_entropy_row(const CrossEntropyRow& row, int64_t target, float* logits);

using CrossEntropyKernel = CrossEntropySums (*)(const CrossEntropyRow& row, int64_t target,
                                                float* logits);

}  // namespace alambic
