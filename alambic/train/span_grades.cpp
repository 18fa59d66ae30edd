#include "alambic/train/span_grades.h"

#include "alambic/objective/returns.h"
#include "alambic/objective/span_divergence.h"
#include "alambic/objective/span_targets.h"

namespace alambic {

SpanGrades SpanGrades::of(const AlignedStates& teacher, double temperature) {
  return {.map = teacher.map, .logp_K = teacher_logp_K(teacher, temperature)};
}

namespace {

// log q of the spans when they were drawn.
Tensor own_logp_K(const SpanTargets& mine, const Tensor& student_MD, const Head& student,
                  double temperature, const DrawnTokens& drawn) {
  const Tensor sampled_M = drawn.sampler_logp_M.to(at::kDouble);
  return span_sums(sampled_M + log_share_of_ends(student_MD, student, mine, temperature), mine);
}

// Spans of each of the sequences that have some.
std::vector<int64_t> counts_of(const Tensor& sequence_K) {
  const Tensor numbers = sequence_K.cpu().contiguous();
  const auto* sequence = numbers.const_data_ptr<int64_t>();
  std::vector<int64_t> counts;
  for (int64_t k = 0; k < numbers.numel(); ++k) {
    if (k == 0 || sequence[k] != sequence[k - 1]) counts.push_back(0);
    ++counts.back();
  }
  return counts;
}

}  // namespace

Tensor span_returns_M(const SpanGrades& grades, const Tensor& student_MD, const Head& student,
                      double temperature, const DrawnTokens& drawn) {
  const at::NoGradGuard no_gradient;
  const SpanTargets mine = student_targets(grades.map, drawn.token_M);
  const Tensor own_K = own_logp_K(mine, student_MD, student, temperature, drawn);
  const std::vector<int64_t> counts = counts_of(grades.map.sequence_K);
  return at_tokens(returns_M(grades.logp_K - own_K, counts), mine) * grades.share;
}

void add_spans(const SpanGrades& grades, const Tensor& student_MD, const Head& student,
               double temperature, DrawnTokens& drawn) {
  const at::NoGradGuard no_gradient;
  const SpanTargets mine = student_targets(grades.map, drawn.token_M);
  const Tensor sampled_M = drawn.sampler_logp_M.to(at::kDouble);
  const Tensor own_K = own_logp_K(mine, student_MD, student, temperature, drawn);
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

std::map<std::string, double> span_figures(const SpanGrades& grades, const DrawnTokens& drawn,
                                           bool masked) {
  const SpanTargets mine = student_targets(grades.map, drawn.token_M);
  const Tensor own_K = span_sums(drawn.sampler_logp_M, mine);
  std::map<std::string, double> figures = {
      {"span_reverse_kl", grades.share * (own_K - grades.logp_K).sum().item<double>()}};
  if (!masked) return figures;
  const auto count = (mine.span_M < 0).sum().item<int64_t>();
  figures["masked_share"] = grades.weight * static_cast<double>(count);
  return figures;
}

}  // namespace alambic
