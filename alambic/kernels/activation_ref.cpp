#include "alambic/kernels/activation_ref.h"

#include <cmath>
#include <numbers>

namespace alambic::kernels::ref {

std::vector<double> swiglu(const std::vector<double>& gate, const std::vector<double>& up) {
  std::vector<double> y(gate.size());
  for (size_t i = 0; i < y.size(); ++i) y[i] = gate[i] / (1 + std::exp(-gate[i])) * up[i];
  return y;
}

std::vector<double> gelu_tanh(const std::vector<double>& x) {
  std::vector<double> y(x.size());
  for (size_t i = 0; i < y.size(); ++i) {
    const double inner = std::sqrt(2 / std::numbers::pi) * (x[i] + 0.044715 * std::pow(x[i], 3));
    y[i] = x[i] / 2 * (1 + std::tanh(inner));
  }
  return y;
}

std::vector<double> geglu(const std::vector<double>& gate, const std::vector<double>& up) {
  std::vector<double> y = gelu_tanh(gate);
  for (size_t i = 0; i < y.size(); ++i) y[i] *= up[i];
  return y;
}

}  // namespace alambic::kernels::ref
