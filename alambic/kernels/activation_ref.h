#pragma once

#include <vector>

namespace alambic::kernels::ref {

/// Activations by their definitions, in scalar loops.
std::vector<double> swiglu(const std::vector<double>& gate, const std::vector<double>& up);
std::vector<double> gelu_tanh(const std::vector<double>& x);
std::vector<double> geglu(const std::vector<double>& gate, const std::vector<double>& up);

}  // namespace alambic::kernels::ref
