#include "alambic/objective/span_divergence.h"

#include "alambic/base/error.h"
#include "alambic/objective/divergence_rows.h"
#include "alambic/objective/divergences/all.h"
#include "alambic/objective/span_targets.h"

namespace alambic {

namespace {

using A = TensorArithmetic;

/// A sure span leaves the others less than float32 log-probabilities can say.
constexpr double kLeastRest = 0x1p-24;

// log-probabilities of the span and of anything else, [K, 2].
Tensor log_buckets(const Tensor& logp_K) {
  const Tensor rest_K = (-at::expm1(logp_K)).clamp_min(kLeastRest).log();
  return at::stack({logp_K, rest_K}, 1);
}

}  // namespace

Loss span_sum(const DivergenceRow& row, const Tensor& student_MD, const Head& student,
              const Tensor& token_M, const AlignedStates& teacher, const ChunkOptions& chunk) {
  const SpanTargets mine = student_targets(teacher.map, token_M);
  const double T = row.temperature;
  Tensor value, reverse, forward, slope_M;
  {
    const at::NoGradGuard no_gradient;
    const Tensor log_q_KB =
        log_buckets(span_sums(log_probabilities(student_MD, student, mine, T, chunk), mine));
    const Tensor log_p_KB = log_buckets(teacher_logp_K(teacher, T, chunk));
    const Entry<A> entry{log_p_KB.exp(), log_q_KB.exp(), log_q_KB - log_p_KB};
    const TermTensors terms = add_terms(row.terms, entry);
    value = terms.value_C1.sum() * row.weight;
    reverse = ReverseKl::at<A>(entry, {}).value.sum();
    forward = ForwardKl::at<A>(entry, {}).value.sum();
    // ∂D/∂ log q of the span: what it gains the others lose. Pulls are T times too small.
    const Tensor lost_K = entry.q.select(1, 0) * terms.pull_CV.select(1, 1) / entry.q.select(1, 1);
    slope_M = at_tokens((terms.pull_CV.select(1, 0) - lost_K) * (row.weight * T), mine);
  }
  const auto dtype = student_MD.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  return {.value = with_slopes(value.to(dtype), student_MD, student, mine, slope_M, T, chunk),
          .sums = {{"span_reverse_kl", reverse.item<double>()},
                   {"span_forward_kl", forward.item<double>()}}};
}

Tensor span_advantages_K(const Tensor& teacher_logp_K, const Tensor& student_logp_K,
                         const Tensor& sequence_K, int64_t lookahead) {
  check(lookahead >= 0, "a look-ahead of {} spans", lookahead);
  const at::NoGradGuard no_gradient;
  const Tensor own_K = teacher_logp_K.to(at::kDouble) - student_logp_K.to(at::kDouble);
  Tensor sum_K = own_K.clone();
  const int64_t K = own_K.numel();
  for (int64_t ahead = 1; ahead <= std::min(lookahead, K - 1); ++ahead) {
    const int64_t count = K - ahead;
    const Tensor same = sequence_K.narrow(0, ahead, count) == sequence_K.narrow(0, 0, count);
    sum_K.narrow(0, 0, count).add_(own_K.narrow(0, ahead, count) * same);
  }
  return sum_K;
}

}  // namespace alambic
