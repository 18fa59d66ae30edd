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

template <class Write>
void by_rows(const Tensor& c_NE, const PackedMatrix& weight_ED, const Write& write) {
  const int64_t step = rows_at_a_time(weight_ED);
  for (int64_t begin = 0; begin < weight_ED.rows; begin += step) {
    const int64_t count = std::min(step, weight_ED.rows - begin);
    const Tensor part_DE = weight_ED.decoded(begin, count).to(c_NE.scalar_type()).t();
    write(c_NE.narrow(1, begin, count), part_DE);
  }
}

}  // namespace

void write_packed_product(const Tensor& c_NE, const Tensor& x_ND, const PackedMatrix& weight_ED) {
  check(!wants_gradient(x_ND), "a packed matrix has no gradient");
  by_rows(c_NE, weight_ED,
          [&](const Tensor& c, const Tensor& part_DE) { write_product(c, x_ND, part_DE); });
}

Tensor packed_linear(const Tensor& x_ND, const PackedMatrix& weight_ED, const Tensor& bias_E) {
  check(!wants_gradient(x_ND, bias_E), "a packed matrix has no gradient");
  const int64_t N = x_ND.size(0), E = weight_ED.rows;
  if (!bias_E.defined()) {
    const Tensor y_NE = at::empty({N, E}, x_ND.options());
    write_packed_product(y_NE, x_ND, weight_ED);
    return y_NE;
  }
  const Tensor y_NE = bias_E.expand({N, E}).clone(at::MemoryFormat::Contiguous);
  by_rows(y_NE, weight_ED,
          [&](const Tensor& y, const Tensor& part_DE) { add_product(y, x_ND, part_DE); });
  return y_NE;
}

}  // namespace alambic::kernels
