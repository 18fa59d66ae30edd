// Sequences laid end to end, the only form in which token ids enter a model: no padding anywhere.
#pragma once

#include <vector>

#include "alambic/tensor/tensor.h"

namespace alambic {

/// Example: sequences [5 7 9] and [4 2] give tokens_N = [5 7 9 4 2], offsets = [0 3 5].
struct Packed {
  Tensor tokens_N;               ///< int64, N positions
  std::vector<int64_t> offsets;  ///< S + 1 entries, from 0 to N

  int64_t sequences() const { return static_cast<int64_t>(offsets.size()) - 1; }
  int64_t positions() const { return offsets.back(); }
  int64_t length(int64_t s) const { return offsets[s + 1] - offsets[s]; }
};

/// Packs token ids on the given device.
Packed pack(const std::vector<std::vector<int32_t>>& sequences, at::Device device = at::kCPU);

}  // namespace alambic
