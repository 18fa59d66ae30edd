// The kernels of an accelerator that visit rows of logits, beside kernels/device_table.h.
#pragma once

#include <cstdint>

#include "alambic/kernels/device_table.h"
#include "alambic/objective/divergence_kind.h"

namespace alambic {

inline constexpr int most_device_terms = 8;

/// divergence_row (divergence_cpu.h) for each of `rows` rows on the device. Both matrices are
/// float32 with rows `stride` apart, and the teacher's is only read.
struct DeviceDivergence {
  float* student;  ///< becomes the gradient where `gradient`
  const float* teacher;
  int64_t rows, vocabulary, stride;
  WeightedTerm terms[most_device_terms];
  int term_count;
  double temperature, weight, softcap;
  bool gradient;
  double* sums;   ///< [rows, 6] of scratch: the numbers of DivergenceSums
  double* total;  ///< [6]: the sums are added to it, in the order of rows
};

/// cross_entropy_row for each row. A target that is not in the vocabulary makes NaN.
struct DeviceCrossEntropy {
  float* logits;  ///< becomes the gradient where `gradient`
  const int64_t* targets;
  int64_t rows, vocabulary, stride;
  double temperature, weight, softcap;
  bool gradient;
  double *cross_entropy, *agreement;  ///< [rows]
};

struct DeviceRows {
  uint64_t layout;  ///< device_rows_layout
  void (*divergence)(const DeviceDivergence&, void* stream);
  void (*cross_entropy)(const DeviceCrossEntropy&, void* stream);
};

/// As kernels::device_layout; the divergences go by their numbers.
inline constexpr uint64_t device_rows_layout =
    kernels::layout_of<DeviceRows, DeviceDivergence, DeviceCrossEntropy
#define ALAMBIC_DIVERGENCE(kind, type) , char[static_cast<int>(DivergenceKind::kind) + 1]
#include "alambic/objective/divergences.def"
#undef ALAMBIC_DIVERGENCE
                       >(1);

}  // namespace alambic
