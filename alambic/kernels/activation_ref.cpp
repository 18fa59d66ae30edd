#include "alambic/kernels/activation_ref.h"

#include <cmath>

namespace alambic::kernels::ref {

std::vector<double> swiglu(const std::vector<double>& gate, const std::vector<double>& up) {
  std::vector<double> y(gate.size());
  for (size_t i = 0; i < y.size(); ++i) y[i] = gate[i] / (1 + std::exp(-gate[i])) * up[i];
  return y;
}

}  // namespace alambic::kernels::ref
