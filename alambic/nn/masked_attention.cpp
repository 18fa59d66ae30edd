#include "alambic/nn/masked_attention.h"

#include <limits>

namespace alambic {

Tensor masked_attention(const Tensor& q_THd, const Tensor& entry_Md, const Tensor& seen_TM,
                        const kernels::AttentionOptions& options) {
  const at::ScalarType type = q_THd.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  const Tensor scores_THM = at::matmul(q_THd, entry_Md.t()).to(type) * options.scale;
  Tensor shown_THM =
      scores_THM.masked_fill(~seen_TM.unsqueeze(1), -std::numeric_limits<double>::infinity());
  if (options.sinks_H.defined()) {
    const Tensor sinks_TH1 =
        options.sinks_H.to(type).view({1, -1, 1}).expand({q_THd.size(0), -1, 1});
    shown_THM = at::cat({shown_THM, sinks_TH1}, -1);
  }
  const Tensor weights_THM = shown_THM.softmax(-1).narrow(-1, 0, entry_Md.size(0));
  return at::matmul(weights_THM.to(entry_Md.scalar_type()), entry_Md);
}

}  // namespace alambic
