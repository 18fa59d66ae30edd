#pragma once

#include <cstdint>
#include <vector>

namespace alambic::kernels::ref {

/// rms_norm by its definition in scalar loops: x [N, D] dense, D the weight's width.
std::vector<double> rms_norm(const std::vector<double>& x, const std::vector<double>& weight,
                             double epsilon);

}  // namespace alambic::kernels::ref
