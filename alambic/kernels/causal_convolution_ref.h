#pragma once

#include <cstdint>
#include <vector>

namespace alambic::kernels::ref {

/// packed_causal_convolution by its definition in scalar loops: x [N, C], weight [C, W], dense.
std::vector<double> packed_causal_convolution(const std::vector<double>& x,
                                              const std::vector<double>& weight,
                                              const std::vector<int64_t>& offsets,
                                              int64_t channels);

}  // namespace alambic::kernels::ref
