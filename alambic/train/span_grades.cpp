#include "alambic/train/span_grades.h"

#include "alambic/objective/span_divergence.h"
#include "alambic/objective/span_targets.h"

namespace alambic {

SpanGrades SpanGrades::of(const AlignedStates& teacher, double temperature) {
  const SpanTargets targets = teacher_targets(teacher.map);
  const Tensor logp_L =
      log_probabilities(teacher.states.hidden_MD, teacher.states.head, targets, temperature);
  return {.map = teacher.map, .logp_K = span_sums(logp_L, targets)};
}

void add_spans(const SpanGrades& grades, const Tensor& student_MD, const Head& student,
               double temperature, DrawnTokens& drawn) {
  const at::NoGradGuard no_gradient;
  const SpanTargets mine = student_targets(grades.map, drawn.token_M);
  const Tensor sampled_M = drawn.sampler_logp_M.to(at::kDouble);
  const Tensor own_K =
      span_sums(sampled_M + log_share_of_ends(student_MD, student, mine, temperature), mine);
  const Tensor advantage_K =
      span_advantages_K(grades.logp_K, own_K, grades.map.sequence_K, grades.lookahead);
  const Tensor share_M = (mine.span_M >= 0).to(at::kDouble) * grades.share;
  // The objective takes the token's own log q off again, as it is then.
  const Tensor logp_M = share_M * (at_tokens(advantage_K, mine) + sampled_M);
  const auto add = [](Tensor& known, const Tensor& more) {
    known = known.defined() ? known + more : more;
  };
  add(drawn.teacher_logp_M, logp_M);
  add(drawn.teacher_share_M, share_M);
}

std::map<std::string, double> span_figures(const SpanGrades& grades, const DrawnTokens& drawn) {
  const SpanTargets mine = student_targets(grades.map, drawn.token_M);
  const Tensor own_K = span_sums(drawn.sampler_logp_M, mine);
  const auto masked = (mine.span_M < 0).sum().item<int64_t>();
  return {{"span_reverse_kl", grades.share * (own_K - grades.logp_K).sum().item<double>()},
          {"masked_share", grades.weight * static_cast<double>(masked)}};
}

}  // namespace alambic
