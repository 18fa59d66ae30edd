#pragma once

#include <map>
#include <string>

#include "alambic/tensor/tensor.h"

namespace alambic {

/// Result of an objective: the value to differentiate, and sums over graded positions that the
/// trainer divides by the global number of graded tokens before it reports them.
struct Loss {
  Tensor value;                        ///< scalar, float32, differentiable
  std::map<std::string, double> sums;  ///< e.g. "reverse_kl", "student_entropy", "agreement"
};

}  // namespace alambic
