#include "alambic/nn/index_scores.h"

#include <limits>

namespace alambic {

Tensor index_scores(const Tensor& q_THd, const Tensor& weight_TH, const Tensor& key_Md) {
  const at::NoGradGuard no_grad;
  const at::ScalarType type = q_THd.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  const Tensor key_dM = key_Md.to(type).t();
  Tensor score_TM = at::zeros({q_THd.size(0), key_Md.size(0)}, key_dM.options());
  // Head by head: scores of all heads at once would be the largest tensor of the model.
  for (int64_t h = 0; h < q_THd.size(1); ++h) {
    score_TM += at::mm(q_THd.select(1, h).to(type), key_dM).clamp_min(0) *
                weight_TH.select(1, h).to(type).unsqueeze(-1);
  }
  return score_TM;
}

ChosenEntries best_entries(const Tensor& score_TM, const Tensor& visible_TM, int64_t count) {
  const at::NoGradGuard no_grad;
  const Tensor order_TM =
      score_TM.masked_fill(~visible_TM, -std::numeric_limits<double>::infinity())
          .argsort(/*stable=*/true, /*dim=*/-1, /*descending=*/true);
  const Tensor best_TC = order_TM.narrow(-1, 0, count).contiguous();
  return {best_TC, visible_TM.gather(-1, best_TC)};
}

Tensor visible_entries(int64_t start, int64_t count, int64_t entries, int64_t every,
                       at::Device device) {
  const auto options = at::TensorOptions().dtype(at::kLong).device(device);
  const Tensor position_T1 = at::arange(start, start + count, options).unsqueeze(-1);
  const Tensor from_M = at::arange(entries, options) * every + (every - 1);
  return position_T1 >= from_M;
}

}  // namespace alambic
