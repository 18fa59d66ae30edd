#include "alambic/nn/residual_norm.h"

#include "alambic/kernels/device_norm.h"

namespace alambic {

bool adds_with_norms(const RmsNorm& norm, const Tensor& x_ND) {
  return norm.weight.defined() && !x_ND.is_cpu() &&
         kernels::on_device::takes_norm(x_ND, norm.weight);
}

SumAndNorm add_and_norm(const RmsNorm& norm, const Tensor& x_ND, const Tensor& added_ND) {
  if (added_ND.defined() && adds_with_norms(norm, x_ND) &&
      added_ND.scalar_type() == x_ND.scalar_type()) {
    const auto made = kernels::on_device::add_and_norm(
        x_ND, added_ND, norm.weight,
        {.epsilon = norm.epsilon, .plus_one = norm.plus_one, .wide = norm.wide});
    return {made.sum_ND, made.norm_ND};
  }
  const Tensor sum_ND = added_ND.defined() ? x_ND + added_ND : x_ND;
  return {sum_ND, norm.weight.defined() ? norm(sum_ND) : sum_ND};
}

}  // namespace alambic
