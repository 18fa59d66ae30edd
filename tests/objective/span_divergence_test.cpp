// Spans of a teacher with another tokenizer: against scalar loops, differences, and what must not
// change them.
#include "alambic/objective/span_divergence.h"

#include <gtest/gtest.h>

#include <cmath>

#include "alambic/objective/span_targets.h"
#include "problem.h"

namespace alambic::span_divergence_test {
namespace {

Tensor ids(const std::vector<int64_t>& values) { return at::tensor(values, at::kLong); }

// Seven tokens of the student in four spans, one token in none; nine of the teacher. The last one
// of both ends the completion, which two tokens of each side do.
struct SpanProblem : Problem {
  Tensor token_M = ids({3, 5, 8, 1, 0, 7, 36});
  AlignedStates aligned;

  explicit SpanProblem(bool bias = false) : Problem(random_problem(7, 37, bias)) {
    const Problem other = random_problem(9, 23, bias);
    aligned.states = {.hidden_MD = other.student_MD * 0.7, .head = other.student};
    aligned.map = {.span_M = ids({0, 0, 1, -1, 2, 2, 3}),
                   .span_L = ids({0, 1, 1, 1, -1, -1, 2, 2, 3}),
                   .sequence_K = ids({0, 0, 1, 1}),
                   .end_M = ids({0, 0, 0, 0, 0, 0, 1}).to(at::kBool),
                   .end_L = ids({0, 0, 0, 0, 0, 0, 0, 0, 1}).to(at::kBool),
                   .token_L = ids({4, 2, 9, 9, 0, 1, 22, 11, 12}),
                   .student_ends = {36, 2},
                   .teacher_ends = {12, 3},
                   .student_vocabulary = 37};
    teacher_output = aligned;
  }

  // Σ log p over the span's tokens; an end is any of the ends.
  static double span_logp(const Tensor& hidden_MD, const Head& head, const Tensor& token_M,
                          const Tensor& span_M, const Tensor& end_M,
                          const std::vector<int64_t>& ends, int64_t span, double T) {
    double sum = 0;
    for (int64_t m = 0; m < token_M.numel(); ++m) {
      if (span_M[m].item<int64_t>() != span) continue;
      const reference::Row row = reference::log_softmax(logits_of(hidden_MD[m], head), T);
      if (!end_M[m].item<bool>()) {
        sum += row[token_M[m].item<int64_t>()];
        continue;
      }
      double mass = 0;
      for (const int64_t end : ends) mass += std::exp(row[end]);
      sum += std::log(mass);
    }
    return sum;
  }

  double definition(const Divergence& divergence) const {
    const double T = divergence.kd_temperature;
    const auto buckets = [](double logp) {
      return reference::Row{logp, std::log1p(-std::exp(logp))};
    };
    double total = 0;
    for (int64_t k = 0; k < 4; ++k) {
      const SpanMap& map = aligned.map;
      const auto log_q = buckets(
          span_logp(student_MD, student, token_M, map.span_M, map.end_M, map.student_ends, k, T));
      const auto log_p =
          buckets(span_logp(aligned.states.hidden_MD, aligned.states.head, map.token_L, map.span_L,
                            map.end_L, map.teacher_ends, k, T));
      for (const DivergenceTerm& term : divergence.terms) {
        const bool akl = term.kind == DivergenceKind::akl;
        total += term.weight * std::pow(T, info_of(term.kind).temperature_power) *
                 reference::distance(term.kind,
                                     akl ? reference::head_share(log_q, log_p) : term.parameter,
                                     log_q, log_p);
      }
    }
    return total;
  }

  Gradients gradients(const Divergence& divergence, const ChunkOptions& chunk = {}) const {
    const Tensor hidden = student_MD.detach().clone().requires_grad_();
    Head head = student;
    const Tensor weight = student.weight_VD.dense().detach().clone().requires_grad_();
    head.weight_VD = weight;
    const Loss loss = divergence_loss(divergence, hidden, head, aligned, 3, chunk, token_M);
    loss.value.backward();
    return {loss.value.item<double>(), hidden.grad(), weight.grad(), {}};
  }
};

std::vector<Divergence> divergences() {
  return {{.terms = {{DivergenceKind::reverse_kl}}},
          {.terms = {{DivergenceKind::forward_kl}}, .kd_temperature = 2},
          {.terms = {{DivergenceKind::jsd, 0.3}}},
          {.terms = {{DivergenceKind::reverse_kl, 0, 0.7}, {DivergenceKind::tvd, 0, 0.3}},
           .kd_temperature = 1.5}};
}

TEST(SpanDivergence, EqualsTheDefinition) {
  const SpanProblem problem;
  for (const Divergence& divergence : divergences()) {
    EXPECT_NEAR(3 * problem.gradients(divergence).value, problem.definition(divergence), 1e-9);
  }
}

TEST(SpanDivergence, GradientsAreTheDefinitionsDifferences) {
  SpanProblem problem;
  for (const double softcap : {0.0, 5.0}) {
    problem.student.softcap = softcap;
    for (const Divergence& divergence : divergences()) {
      const Gradients found = problem.gradients(divergence);
      const auto value = [&] { return problem.definition(divergence) / 3; };
      EXPECT_LT(relative_difference(found.hidden_MD, finite_differences(problem.student_MD, value)),
                1e-6);
      EXPECT_LT(relative_difference(found.weight_VD,
                                    finite_differences(problem.student.weight_VD.dense(), value)),
                1e-6);
      const Gradients chunked = problem.gradients(divergence, {.rows = 2});
      EXPECT_LT(relative_difference(chunked.weight_VD, found.weight_VD), 1e-12);
    }
  }
}

// Bug: SimCT takes means of raw logits over a span, which a shift of one model's logits changes.
TEST(SpanDivergence, AShiftOfEitherModelsLogitsChangesNothing) {
  SpanProblem problem(true);
  const Divergence divergence{.terms = {{DivergenceKind::reverse_kl}}};
  const Gradients before = problem.gradients(divergence);
  problem.student.bias_V = problem.student.bias_V + 3;
  problem.aligned.states.head.bias_V = problem.aligned.states.head.bias_V - 7;
  const Gradients after = problem.gradients(divergence);
  EXPECT_NEAR(after.value, before.value, 1e-12);
  EXPECT_LT(relative_difference(after.weight_VD, before.weight_VD), 1e-10);
}

TEST(SpanDivergence, IsZeroWhereTheModelsAgree) {
  SpanProblem problem;
  problem.aligned.states = {.hidden_MD = problem.student_MD, .head = problem.student};
  SpanMap& map = problem.aligned.map;
  map.span_L = map.span_M;
  map.end_L = map.end_M;
  map.token_L = problem.token_M;
  map.teacher_ends = map.student_ends;
  for (const Divergence& divergence : divergences()) {
    const Gradients found = problem.gradients(divergence);
    EXPECT_NEAR(found.value, 0, 1e-15);
    EXPECT_LT(found.weight_VD.abs().max().item<double>(), 1e-12);
  }
}

TEST(SpanAdvantages, LookAheadWithinTheCompletion) {
  const Tensor teacher_K = at::tensor({-1.0, -2.0, -3.0, -4.0, -5.0}, at::kDouble);
  const Tensor student_K = at::tensor({-2.0, -2.5, -1.0, -8.0, -5.0}, at::kDouble);
  const Tensor sequence_K = ids({0, 0, 0, 1, 1});
  const auto advantages = [&](int64_t lookahead) {
    return row_of(span_advantages_K(teacher_K, student_K, sequence_K, lookahead));
  };
  EXPECT_EQ(advantages(0), (reference::Row{1, 0.5, -2, 4, 0}));
  EXPECT_EQ(advantages(1), (reference::Row{1.5, -1.5, -2, 4, 0}));
  EXPECT_EQ(advantages(9), (reference::Row{-0.5, -1.5, -2, 4, 0}));
}

}  // namespace
}  // namespace alambic::span_divergence_test
