#include "alambic/objective/policy.h"

#include <algorithm>
#include <cmath>

#include "alambic/base/error.h"
#include "alambic/objective/cross_entropy_rows.h"
#include "alambic/objective/head_chunks.h"
#include "alambic/objective/policies/all.h"
#include "alambic/objective/policies/reference_kl.h"

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
  if (!(policy.kl_weight >= 0) || !std::isfinite(policy.kl_weight)) {
    throw input_error("kl-weight is {}, expected a positive number, or 0", policy.kl_weight);
  }
  const auto expect = [&](bool needed, const Tensor& all_M, const char* what) {
    const int64_t found = all_M.defined() ? all_M.numel() : 0;
    check(!needed || found == student_MD.size(0), "{} of {} drawn tokens, expected {}", what, found,
          student_MD.size(0));
  };
  expect(true, drawn.sampler_logp_M, "the sampler's log-probabilities");
  expect(policy.reads_teacher(), drawn.teacher_logp_M, "the teacher's log-probabilities");
  expect(policy.kl_weight > 0, drawn.reference_logp_M, "the reference's log-probabilities");
  expect(policy.has(PolicyKind::grpo), drawn.advantage_M, "advantages");
  expect(policy.has(PolicyKind::long_term_kl), drawn.return_M, "returns");
  expect(drawn.weight_M.defined(), drawn.weight_M, "weights");
  expect(drawn.teacher_share_M.defined(), drawn.teacher_share_M, "shares of teachers");
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

/// Terms of every token, by name: the objective's value first.
using Totals = std::vector<std::pair<std::string, Tensor>>;

/// The derivative of the objective with regard to logp, and the sums over the rows.
struct Visit {
  Tensor slope_C, value;  // float64
  Totals totals;

  /// `weight_C` undefined: 1.
  Visit(const Policy& policy, const PolicyRows& rows, const Tensor& weight_C)
      : slope_C(at::zeros_like(rows.logp_C)), value(at::zeros({}, slope_C.options())) {
    Tensor clipped_C = at::zeros_like(slope_C, at::kBool);
    for (const PolicyTerm& term : policy.terms) {
      const PolicyInfo& info = info_of(term.kind);
      const Surrogate part = weighted(surrogate_of(term.kind, rows, policy.clip), weight_C);
      add(info.name, part, term.weight * std::pow(policy.temperature, info.temperature_power));
      if (part.clipped_C.defined()) clipped_C.logical_or_(part.clipped_C);
    }
    if (policy.kl_weight > 0) {
      add("reference_kl", weighted(reference_kl(rows), weight_C), policy.kl_weight);
    }
    totals.emplace_back("sampled_entropy", -rows.logp_C.sum());
    totals.emplace_back("clip_share", clipped_C.sum().to(at::kDouble));
  }

  static Surrogate weighted(const Surrogate& part, const Tensor& weight_C) {
    if (!weight_C.defined()) return part;
    return {weight_C * part.value_C, weight_C * part.slope_C, part.clipped_C};
  }

  void add(const std::string& name, const Surrogate& part, double weight) {
    totals.emplace_back(name, part.value_C.sum());
    value = value + weight * totals.back().second;
    slope_C.add_(part.slope_C, weight);
  }
};

}  // namespace

bool Policy::has(PolicyKind kind) const {
  return std::ranges::count(terms, kind, &PolicyTerm::kind) > 0;
}

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
  const int64_t rows = chunk_rows(chunk, graded, student.vocabulary(), 1, student_MD.device());
  const auto dtype = working_dtype(student_MD);
  HeadChunks chunks(student_MD, student, rows, dtype);
  const CrossEntropyRow row{.vocabulary = student.vocabulary(),
                            .temperature = policy.temperature,
                            .weight = 1,
                            .softcap = student.softcap,
                            .gradient = gradient.needed()};
  Tensor value = at::zeros({}, student_MD.options().dtype(at::kDouble).requires_grad(false));
  Totals totals;
  for_each_chunk(graded, rows, [&](int64_t begin, int64_t count) {
    const auto part = [&](const Tensor& all_M) {
      return all_M.defined() ? all_M.narrow(0, begin, count).to(at::kDouble) : Tensor();
    };
    const Tensor logits_CV = chunks.logits_CV(begin, count);
    const Tensor logp_C =
        -cross_entropy_rows(row, logits_CV, tokens.narrow(0, begin, count)).cross_entropy_C;
    const Visit visit(policy,
                      {.logp_C = logp_C,
                       .ratio_C = (logp_C - part(drawn.sampler_logp_M)).exp(),
                       .teacher_logp_C = part(drawn.teacher_logp_M),
                       .teacher_share_C = part(drawn.teacher_share_M),
                       .reference_logp_C = part(drawn.reference_logp_M),
                       .advantage_C = part(drawn.advantage_M),
                       .return_C = part(drawn.return_M)},
                      part(drawn.weight_M));
    value.add_(visit.value);
    for (size_t i = 0; i < visit.totals.size(); ++i) {
      if (i == totals.size()) {
        totals.push_back(visit.totals[i]);
      } else {
        totals[i].second = totals[i].second + visit.totals[i].second;
      }
    }
    if (!row.gradient) return;
    // The rows hold q − 1_token.
    const Tensor scale_C = visit.slope_C / (-policy.temperature * normalizer);
    logits_CV.mul_(scale_C.to(logits_CV.scalar_type()).unsqueeze(1));
    gradient.add(chunks, begin, logits_CV);
  });

  const at::AutoGradMode with_gradient(row.gradient);
  Loss loss{.value = std::move(gradient).attach((value / normalizer).to(dtype)), .sums = {}};
  if (totals.empty()) return loss;
  std::vector<Tensor> sums;
  for (const auto& [name, sum] : totals) sums.push_back(sum.to(at::kDouble));
  const Tensor numbers = at::stack(sums).cpu();  // one read of a device
  for (size_t i = 0; i < totals.size(); ++i) {
    loss.sums[totals[i].first] = numbers.const_data_ptr<double>()[i];
  }
  return loss;
}

}  // namespace alambic
