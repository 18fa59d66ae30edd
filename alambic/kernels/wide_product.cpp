#include "alambic/kernels/wide_product.h"

namespace alambic::kernels {

bool has_wide_product(const Tensor& x_ND, const Weight& weight_ED) {
  return !x_ND.is_cpu() && !x_ND.is_meta() && x_ND.scalar_type() == at::kBFloat16 &&
         weight_ED.scalar_type() == at::kBFloat16;
}

void write_wide_product(const Tensor& y_ME, const Tensor& a_MK, const Tensor& b_KE) {
  Tensor y = y_ME;
  at::mm_out(y, a_MK, b_KE, at::kFloat);
}

void add_wide_product(const Tensor& y_ME, const Tensor& a_MK, const Tensor& b_KE) {
  Tensor y = y_ME;
  at::addmm_out(y, y, a_MK, b_KE, at::kFloat);
}

}  // namespace alambic::kernels
