#pragma once

#include <cstdint>
#include <vector>

namespace alambic::kernels::ref {

/// rope by its definition in scalar loops: x [N, heads, d] dense, cos and sin [N, d/2].
std::vector<double> rope(const std::vector<double>& x, const std::vector<double>& cos,
                         const std::vector<double>& sin, int64_t heads, int64_t d);

}  // namespace alambic::kernels::ref
