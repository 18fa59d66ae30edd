#include "alambic/kernels/packed_linear.h"

#include <algorithm>

#include "alambic/base/error.h"
#include "alambic/kernels/launch.h"
#include "alambic/kernels/linear.h"

namespace alambic::kernels {

namespace {

// Rows whose decoded numbers fit a core's cache, and the steps in which `product` splits columns:
// then every column is summed as in one product with the whole matrix.
int64_t rows_at_a_time(const PackedMatrix& weight_ED) {
  constexpr int64_t numbers = 1 << 18, step = 64;
  const int64_t rows = numbers / std::max<int64_t>(1, weight_ED.columns);
  return std::max<int64_t>(1, rows / step) * step;
}

}  // namespace

void write_packed_linear(const Tensor& y_NE, const Tensor& x_ND, const PackedMatrix& weight_ED,
                         const Tensor& bias_E) {
  check(!wants_gradient(x_ND, bias_E), "a packed matrix has no gradient");
  if (bias_E.defined()) y_NE.copy_(bias_E.expand_as(y_NE));
  const int64_t step = rows_at_a_time(weight_ED);
  for (int64_t begin = 0; begin < weight_ED.rows; begin += step) {
    const int64_t count = std::min(step, weight_ED.rows - begin);
    const Tensor part_DE = weight_ED.decoded(begin, count).to(y_NE.scalar_type()).t();
    const Tensor part_NE = y_NE.narrow(1, begin, count);
    if (bias_E.defined()) {
      add_product(part_NE, x_ND, part_DE);
    } else {
      write_product(part_NE, x_ND, part_DE);
    }
  }
}

Tensor packed_linear(const Tensor& x_ND, const PackedMatrix& weight_ED, const Tensor& bias_E) {
  const Tensor y_NE = at::empty({x_ND.size(0), weight_ED.rows}, x_ND.options());
  write_packed_linear(y_NE, x_ND, weight_ED, bias_E);
  return y_NE;
}

}  // namespace alambic::kernels
