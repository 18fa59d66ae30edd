#pragma once

#include <vector>

namespace alambic::kernels::ref {

/// swiglu by its definition in scalar loops.
std::vector<double> swiglu(const std::vector<double>& gate, const std::vector<double>& up);

}  // namespace alambic::kernels::ref
