#include "alambic/objective/log_softmax_cpu.h"
#include "alambic/objective/row_kernels.h"

namespace alambic::ALAMBIC_ISA {
namespace {

[[gnu::always_inline]] inline CrossEntropySums visit(const CrossEntropyRow& row, int64_t target,
                                                     float* logits) {
  const auto inverse_temperature = static_cast<float>(1 / row.temperature);
  pad(logits, row.vocabulary);
  const Softmax s = softmax(logits, row.vocabulary, inverse_temperature);
  const double target_logit = logits[target];
  const CrossEntropySums sums{s.log_sum - (target_logit - s.top) / row.temperature,
                              s.argmax == target ? 1.0 : 0.0};
  if (!row.gradient) return sums;

  const auto log_sum = static_cast<float>(s.log_sum);
  const auto weight = static_cast<float>(row.weight);
  const auto cap = static_cast<float>(row.softcap > 0 ? 1 / (row.softcap * row.softcap) : 0);
  auto* z = reinterpret_cast<RowVec*>(logits);
  const int64_t vectors = padded_row(row.vocabulary) / lanes;
  for (int64_t i = 0; i < vectors; ++i) {
    const Vec q = exp_nonpositive((z[i] - s.top) * inverse_temperature - log_sum);
    z[i] = weight * (1.0f - z[i] * z[i] * cap) * q;
  }
  // q − 1 from the logarithm: near certainty 1 − q would have no digits left.
  logits[target] = static_cast<float>(
      row.weight * std::expm1(-sums.cross_entropy) *
      (row.softcap > 0 ? 1 - target_logit * target_logit / (row.softcap * row.softcap) : 1));
  return sums;
}

}  // namespace

CrossEntropySums cross_entropy_row(const CrossEntropyRow& row, int64_t target, float* logits) {
  return visit(row, target, logits);
}

}  // namespace alambic::ALAMBIC_ISA
