#pragma once

#include <cstdint>
#include <vector>

namespace alambic::kernels::ref {

struct DeltaSizes {
  int64_t key_heads = 1, heads = 1, key_width = 1, value_width = 1;
};

struct DeltaResult {
  std::vector<double> out;    ///< [N, H, dv]
  std::vector<double> state;  ///< [S, H, dk, dv], after each sequence
};

/// packed_delta_rule by its definition in scalar loops, position by position: q and k [N, K, dk],
/// v [N, H, dv], decay and rate [N, H], dense.
DeltaResult packed_delta_rule(const std::vector<double>& q, const std::vector<double>& k,
                              const std::vector<double>& v, const std::vector<double>& decay,
                              const std::vector<double>& rate, const std::vector<int64_t>& offsets,
                              const DeltaSizes& sizes);

}  // namespace alambic::kernels::ref
