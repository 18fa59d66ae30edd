#include "alambic/objective/policy.h"

#include <algorithm>
#include <cmath>

#include "alambic/base/error.h"
#include "alambic/objective/cross_entropy_rows.h"
#include "alambic/objective/head_chunks.h"
#include "alambic/objective/policies/all.h"

namespace alambic {
namespace {

void check_policy(const Policy& policy, const Tensor& student_MD, const DrawnTokens& drawn) {
  if (!(policy.temperature > 0) || !std::isfinite(policy.temperature)) {
    throw input_error("the sampling temperature is {}, expected a positive number",
                      policy.temperature)
        .with_hint("the most likely token alone says nothing of the distribution");
  }
  if (!(policy.clip >= 0 && policy.clip < 1)) {
    throw input_error("clip-ratio is {}, expected 0 (none) to below 1", policy.clip);
  }
  const int64_t M = student_MD.size(0);
  check(drawn.sampler_logp_M.numel() == M, "{} log-probabilities of {} drawn tokens",
        drawn.sampler_logp_M.numel(), M);
  check(!policy.reads_teacher() || drawn.teacher_logp_M.numel() == M,
        "the teacher's log-probabilities of {} drawn tokens are not there", M);
}

Surrogate surrogate_of(PolicyKind kind, const PolicyRows& rows, double clip) {
  switch (kind) {
#define ALAMBIC_POLICY(name, type) \
  case PolicyKind::name:           \
    return type::at(rows, clip);
#include "alambic/objective/policies.def"
#undef ALAMBIC_POLICY
  }
  throw bug("no objective of kind {}", static_cast<int>(kind));
}

/// Figures of all tokens so far, float64 on their device: the value, entropy, clipped tokens, then
/// every term.
struct Totals {
  Tensor sums;
  explicit Totals(const Tensor& like, size_t terms)
      : sums(at::zeros({3 + static_cast<int64_t>(terms)},
                       like.options().dtype(at::kDouble).requires_grad(false))) {}
};

/// Adds to `totals`; returns the derivative of the objective with regard to logp.
Tensor add_terms(const Policy& policy, const PolicyRows& rows, const Totals& totals) {
  Tensor slope_C = at::zeros_like(rows.logp_C), value = at::zeros({}, slope_C.options());
  Tensor clipped_C = at::zeros_like(slope_C, at::kBool);
  std::vector<Tensor> sums = {{}, -rows.logp_C.sum(), {}};
  for (const PolicyTerm& term : policy.terms) {
    const double weight =
        term.weight * std::pow(policy.temperature, info_of(term.kind).temperature_power);
    const Surrogate part = surrogate_of(term.kind, rows, policy.clip);
    sums.push_back(part.value_C.sum());
    value = value + weight * sums.back();
    slope_C.add_(part.slope_C, weight);
    if (part.clipped_C.defined()) clipped_C.logical_or_(part.clipped_C);
  }
  sums[0] = value;
  sums[2] = clipped_C.sum().to(at::kDouble);
  totals.sums.add_(at::stack(sums));
  return slope_C;
}

}  // namespace

bool Policy::reads_teacher() const {
  return std::ranges::any_of(
      terms, [](const PolicyTerm& term) { return info_of(term.kind).reads_teacher; });
}

Loss policy_loss(const Policy& policy, const Tensor& student_MD, const Head& student,
                 const DrawnTokens& drawn, double normalizer, const ChunkOptions& chunk) {
  check(normalizer > 0 && std::isfinite(normalizer), "normalizer {}", normalizer);
  check_policy(policy, student_MD, drawn);
  const Tensor tokens = checked_targets(student_MD, student, drawn.token_M);
  HeadGradient gradient(student_MD, student);
  const at::NoGradGuard no_gradient;
  const int64_t graded = student_MD.size(0);
  const int64_t rows = chunk_rows(chunk, graded, student.vocabulary(), 1);
  const auto dtype = working_dtype(student_MD);
  HeadChunks chunks(student_MD, student, rows, dtype);
  const CrossEntropyRow row{.vocabulary = student.vocabulary(),
                            .temperature = policy.temperature,
                            .weight = 1,
                            .softcap = student.softcap,
                            .gradient = gradient.needed()};
  const Totals totals(student_MD, policy.terms.size());
  for_each_chunk(graded, rows, [&](int64_t begin, int64_t count) {
    const auto part = [&](const Tensor& all_M) {
      return all_M.defined() ? all_M.narrow(0, begin, count).to(at::kDouble) : Tensor();
    };
    const Tensor logits_CV = chunks.logits_CV(begin, count);
    const Tensor logp_C =
        -cross_entropy_rows(row, logits_CV, tokens.narrow(0, begin, count)).cross_entropy_C;
    const PolicyRows visited{.logp_C = logp_C,
                             .ratio_C = (logp_C - part(drawn.sampler_logp_M)).exp(),
                             .teacher_logp_C = part(drawn.teacher_logp_M)};
    const Tensor slope_C = add_terms(policy, visited, totals);
    if (!row.gradient) return;
    // The rows hold q − 1_token.
    const Tensor scale_C = slope_C / (-policy.temperature * normalizer);
    logits_CV.mul_(scale_C.to(logits_CV.scalar_type()).unsqueeze(1));
    gradient.add(chunks, begin, logits_CV);
  });

  const Tensor numbers = totals.sums.cpu();
  const auto* sums = numbers.const_data_ptr<double>();
  const Tensor value = (totals.sums[0] / normalizer).to(dtype);
  const at::AutoGradMode with_gradient(row.gradient);
  Loss loss{.value = std::move(gradient).attach(value),
            .sums = {{"sampled_entropy", sums[1]}, {"clip_share", sums[2]}}};
  for (size_t t = 0; t < policy.terms.size(); ++t) {
    loss.sums[info_of(policy.terms[t].kind).name] = sums[3 + t];
  }
  return loss;
}

}  // namespace alambic
