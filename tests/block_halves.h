#pragma once

#include <vector>

#include "alambic/io/dtype.h"

namespace alambic {

/// Places in a block of its half-precision scales and minima.
inline std::vector<size_t> halves_of(Dtype dtype) {
  switch (dtype) {
    case Dtype::Q4_1:
    case Dtype::Q5_1:
    case Dtype::Q4_K:
    case Dtype::Q5_K:
      return {0, 2};
    case Dtype::Q2_K:
      return {80, 82};
    case Dtype::Q3_K:
      return {108};
    case Dtype::Q6_K:
      return {208};
    case Dtype::MXFP4:
      return {};
    default:
      return {0};
  }
}

}  // namespace alambic
