#include "alambic/nn/head_logits.h"

#include "alambic/kernels/weight_linear.h"

namespace alambic {

Tensor head_logits(const Head& head, const Tensor& hidden_ND) {
  Tensor u_NV = kernels::linear(hidden_ND, head.weight_VD, head.bias_V);
  if (head.scale != 1) u_NV = u_NV * head.scale;
  return head.softcap > 0 ? (u_NV / head.softcap).tanh() * head.softcap : u_NV;
}

Head wide_head(const Head& head) {
  Head wide = head;
  wide.weight_VD = head.weight_VD.constant(at::kFloat);
  if (head.bias_V.defined()) wide.bias_V = head.bias_V.detach().to(at::kFloat);
  return wide;
}

}  // namespace alambic
