#include "alambic/objective/policy.h"

#include <gtest/gtest.h>

#include "alambic/base/error.h"
#include "alambic/base/random.h"
#include "alambic/objective/cross_entropy.h"
#include "alambic/objective/policy_ref.h"
#include "alambic/rollout/sample.h"
#include "problem.h"

namespace alambic {
namespace {

const std::vector<int64_t> kTokens = {0, 36, 5, 5, 17, 20, 35};
const PolicyTerm kSampled{PolicyKind::sampled_reverse_kl}, kGrpo{PolicyKind::grpo},
    kLongTerm{PolicyKind::long_term_kl};

/// Tokens of random_problem, drawn when the policy was another: ratios from 0.6 to 1.6.
struct DrawnProblem : Problem {
  DrawnTokens drawn;

  explicit DrawnProblem(double temperature = 1) : Problem(random_problem(7, 37, true)) {
    drawn.token_M = at::tensor(kTokens);
    drawn.teacher_logp_M = logp(judgement.hidden_MD, judgement.head, temperature);
    drawn.sampler_logp_M = logp(student_MD, student, temperature) - at::linspace(-0.5, 0.45, 7);
    drawn.reference_logp_M = drawn.teacher_logp_M;
    drawn.advantage_M = at::linspace(-1.5, 2, 7, at::kDouble);
    drawn.return_M = at::linspace(1, -2, 7, at::kDouble);
  }
  Tensor logp(const Tensor& hidden_MD, const Head& head, double T) const {
    return target_log_probabilities(hidden_MD, head, drawn.token_M, T).to(at::kDouble);
  }
  double reference_term(PolicyKind kind, int64_t m, const reference::Row& now,
                        const Problem& frozen, const reference::DrawnToken& token) const {
    switch (kind) {
      case PolicyKind::grpo:
        return reference::grpo(now, token, drawn.advantage_M[m].item<double>());
      case PolicyKind::long_term_kl:
        return token.temperature * token.temperature *
               reference::clipped_surrogate(now, token, drawn.return_M[m].item<double>());
      case PolicyKind::sampled_reverse_kl:
        break;
    }
    return reference::sampled_reverse_kl(now, frozen.student_logits(m), teacher_logits(m), token);
  }
  double reference_sum(const Policy& policy, const Problem& frozen) const {
    double total = 0;
    for (int64_t m = 0; m < 7; ++m) {
      const reference::DrawnToken token{.token = static_cast<int>(kTokens[m]),
                                        .sampler_logp = drawn.sampler_logp_M[m].item<double>(),
                                        .temperature = policy.temperature,
                                        .clip = policy.clip};
      const auto now = student_logits(m), teacher = teacher_logits(m);
      for (const PolicyTerm& term : policy.terms) {
        total += term.weight * reference_term(term.kind, m, now, frozen, token);
      }
      total += policy.kl_weight * reference::reference_kl(now, teacher, token);
    }
    return total;
  }
};

/// Every kind alone, and a sum with a reference.
std::vector<Policy> policies(double temperature, double clip) {
  return {{.terms = {kSampled}, .temperature = temperature, .clip = clip},
          {.terms = {kGrpo}, .temperature = temperature, .clip = clip},
          {.terms = {kLongTerm}, .temperature = temperature, .clip = clip},
          {.terms = {{PolicyKind::sampled_reverse_kl, 0.3}, {PolicyKind::grpo, 0.7}},
           .temperature = temperature,
           .clip = clip,
           .kl_weight = 0.4}};
}

Gradients differentiate(const Problem& problem, const DrawnTokens& drawn, const Policy& policy,
                        double normalizer = 1, const ChunkOptions& chunk = {}) {
  const Tensor hidden = problem.student_MD.detach().clone().requires_grad_();
  Head head = problem.student;
  head.weight_VD = head.weight_VD.detach().clone().requires_grad_();
  if (head.bias_V.defined()) head.bias_V = head.bias_V.detach().clone().requires_grad_();
  const Loss loss = policy_loss(policy, hidden, head, drawn, normalizer, chunk);
  loss.value.backward();
  return {loss.value.item<double>(), hidden.grad(), head.weight_VD.grad(),
          head.bias_V.defined() ? head.bias_V.grad() : Tensor()};
}

// Bug: a term of the wrong sign, the ratio upside down, T where T² belongs, a chunk's own mean.
TEST(Policy, EqualsTheDefinition) {
  for (const double temperature : {1.0, 0.7}) {
    const DrawnProblem problem(temperature);
    for (const double clip : {0.0, 0.2}) {
      for (const Policy& policy : policies(temperature, clip)) {
        const double expected = problem.reference_sum(policy, problem) / 7;
        for (const auto dtype : {at::kDouble, at::kFloat}) {
          const double tolerance = dtype == at::kDouble ? 1e-6 : 1e-5;
          const Problem typed = problem.to(dtype);
          for (const int64_t rows : {0, 1, 3}) {
            const Loss loss = policy_loss(policy, typed.student_MD, typed.student, problem.drawn, 7,
                                          {.rows = rows});
            EXPECT_NEAR(loss.value.item<double>(), expected, tolerance * std::abs(expected));
          }
        }
      }
    }
  }
}

// Bug: a gradient through the advantage, none through the ratio, a clipped token that still pulls,
// the reference's estimate without its ratio, soft-cap or scale outside the chain rule.
TEST(Policy, GradientsAreTheDefinitionsDifferences) {
  for (const double temperature : {1.0, 0.7}) {
    DrawnProblem problem(temperature);
    problem.student.scale = 0.8;
    problem.student.softcap = temperature == 1 ? 0 : 4;
    for (const Policy& policy : policies(temperature, temperature == 1 ? 0 : 0.2)) {
      DrawnProblem frozen = problem;
      frozen.student_MD = problem.student_MD.clone();
      frozen.student.bias_V = problem.student.bias_V.clone();
      const auto value = [&] { return problem.reference_sum(policy, frozen) / 7; };
      const Tensor hidden = finite_differences(problem.student_MD, value);
      const Tensor bias = finite_differences(problem.student.bias_V, value);
      for (const auto dtype : {at::kDouble, at::kFloat}) {
        // The teacher's log-probabilities are float32.
        const double tolerance = dtype == at::kDouble ? 1e-6 : 1e-5;
        const Gradients found =
            differentiate(problem.to(dtype), problem.drawn, policy, 7, {.rows = 2});
        EXPECT_LT(relative_difference(found.hidden_MD, hidden), tolerance);
        EXPECT_LT(relative_difference(found.bias_V, bias), tolerance);
      }
    }
  }
}

// One position with every token of the vocabulary as the drawn one, each row weighted by its
// probability: the expectation without any chance.
struct Enumerated {
  Problem problem;
  Tensor probability_V;
  Gradients exact;

  explicit Enumerated(double temperature) : problem(random_problem(1, 37, true)) {
    exact = differentiate(problem, Divergence{.kd_temperature = temperature});
    probability_V =
        at::tensor(reference::log_softmax(problem.student_logits(0), temperature)).exp();
  }
  // Σ_y sampler(y)·gradient(y); with a mixture Σ_y mixture(y)·gradient(y), weighted.
  std::pair<double, Tensor> expected(const Policy& policy, const Tensor& sampler_V,
                                     const Tensor& mixture_V = {}) const {
    const Tensor drawn_from_V = mixture_V.defined() ? mixture_V : sampler_V;
    double value = 0;
    Tensor gradient = at::zeros_like(problem.student.weight_VD);
    const auto teacher = reference::log_softmax(problem.teacher_logits(0), policy.temperature);
    for (int64_t y = 0; y < 37; ++y) {
      DrawnTokens drawn{.token_M = at::tensor(std::vector<int64_t>{y}),
                        .sampler_logp_M = sampler_V[y].log().unsqueeze(0),
                        .teacher_logp_M = at::tensor(std::vector<double>{teacher[y]}),
                        .reference_logp_M = at::tensor(std::vector<double>{teacher[y]})};
      if (mixture_V.defined()) drawn.weight_M = (sampler_V[y] / mixture_V[y]).unsqueeze(0);
      const Gradients one = differentiate(problem, drawn, policy);
      value += drawn_from_V[y].item<double>() * one.value;
      gradient.add_(one.weight_VD * drawn_from_V[y]);
    }
    return {value, gradient};
  }
};

// Bug: differentiating an estimator of the KL (k1: no gradient at all; k3: the forward KL's), or k3
// as the reward (peers.md §4.1).
TEST(SampledReverseKl, HasTheExactDivergencesValueAndGradientInExpectation) {
  for (const double temperature : {1.0, 0.7}) {
    const Enumerated all(temperature);
    const Policy policy{.terms = {kSampled}, .temperature = temperature};
    const auto [value, gradient] = all.expected(policy, all.probability_V);
    EXPECT_NEAR(value, all.exact.value, 1e-9 * all.exact.value);
    EXPECT_LT(relative_difference(gradient, all.exact.weight_VD), 1e-9);
  }
}

// Bug: the advantage or the gradient of a policy that has moved, without its importance weight.
TEST(SampledReverseKl, IsExactForTokensOfAnOlderPolicyToo) {
  const Enumerated all(1);
  at::manual_seed(3);
  const Tensor older_V = (all.probability_V.log() + 0.5 * at::randn({37}, at::kDouble)).softmax(0);
  const auto [value, gradient] = all.expected({.terms = {kSampled}, .clip = 0}, older_V);
  EXPECT_NEAR(value, all.exact.value, 1e-9 * all.exact.value);
  EXPECT_LT(relative_difference(gradient, all.exact.weight_VD), 1e-9);
}

// Bug: k3 differentiated without its ratio, whose gradient is the forward KL's (GRPO, TRL's
// default).
TEST(ReferenceKl, HasTheExactDivergencesValueAndGradientInExpectation) {
  const Enumerated all(1);
  at::manual_seed(3);
  const Tensor older_V = (all.probability_V.log() + 0.5 * at::randn({37}, at::kDouble)).softmax(0);
  for (const Tensor& sampler_V : {all.probability_V, older_V}) {
    const auto [value, gradient] = all.expected({.kl_weight = 1}, sampler_V);
    EXPECT_NEAR(value, all.exact.value, 1e-9 * all.exact.value);
    EXPECT_LT(relative_difference(gradient, all.exact.weight_VD), 1e-9);
  }
}

// Bug: a teacher mixed into the sampling whose tokens count as the student's own (MiniLLM §2.2), or
// weights that the clipping takes for a policy that has moved.
TEST(SampledReverseKl, IsExactForTokensOfAMixtureWithTheTeacher) {
  const Enumerated all(1);
  const auto teacher = reference::log_softmax(all.problem.teacher_logits(0));
  const Tensor mixture_V = 0.8 * at::tensor(teacher).exp() + 0.2 * all.probability_V;
  const auto [value, gradient] = all.expected({.terms = {kSampled}}, all.probability_V, mixture_V);
  EXPECT_NEAR(value, all.exact.value, 1e-9 * all.exact.value);
  EXPECT_LT(relative_difference(gradient, all.exact.weight_VD), 1e-9);
}

// The same with tokens that the sampler draws, in the gradient of the bias: its entries for tokens
// likely enough to be drawn 100 times. Each mean is about normal around the exact entry; the worst
// of at most 37 is within 5 standard errors but for 1e-4 of seeds (the rarest are Poisson of 100,
// whose tail is longer than the normal's). The last check shows that the test sees a bias: top-p
// draws from another distribution than the ratio's.
TEST(SampledReverseKl, HasTheExactGradientOverDrawsOfTheSampler) {
  constexpr int64_t draws = 20000;
  const Enumerated all(1);
  const auto logits = all.problem.student_logits(0);
  const std::vector<float> narrow(logits.begin(), logits.end());
  const auto log_p = reference::log_softmax(all.problem.teacher_logits(0));
  const Tensor likely_V = all.probability_V * draws > 100;
  std::vector<Tensor> entries_of(37);
  for (int64_t y = 0; y < 37; ++y) {
    const DrawnTokens one{.token_M = at::tensor(std::vector<int64_t>{y}),
                          .sampler_logp_M = all.probability_V[y].log().unsqueeze(0),
                          .teacher_logp_M = at::tensor(std::vector<double>{log_p[y]})};
    entries_of[y] =
        differentiate(all.problem, one, {.terms = {kSampled}}).bias_V.masked_select(likely_V);
  }
  const Tensor exact = all.exact.bias_V.masked_select(likely_V);
  const auto worst_score = [&](const Sampling& sampling) {
    Tensor sum = at::zeros_like(exact), squares = at::zeros_like(exact);
    for (uint64_t i = 0; i < draws; ++i) {
      const int32_t y = sample(narrow, sampling, uniform({.seed = 11, .sample = i})).token;
      sum.add_(entries_of[y]);
      squares.add_(entries_of[y].square());
    }
    const Tensor mean = sum / draws, error = ((squares / draws - mean.square()) / draws).sqrt();
    return ((mean - exact).abs() / error).max().item<double>();
  };
  EXPECT_GT(exact.numel(), 5);
  EXPECT_LT(worst_score({}), 5);
  EXPECT_GT(worst_score({.top_p = 0.8}), 20);
}

// Bug: rounding or a misplaced row teaches a student that is the teacher.
TEST(SampledReverseKl, TeachesNothingWhereTheModelsAgree) {
  for (const double temperature : {1.0, 2.0}) {
    DrawnProblem problem(temperature);
    problem.drawn.teacher_logp_M = problem.logp(problem.student_MD, problem.student, temperature);
    const Policy policy{.terms = {kSampled}, .temperature = temperature};
    const Gradients found = differentiate(problem, problem.drawn, policy);
    EXPECT_NEAR(found.value, 0, 1e-5);
    EXPECT_LT(found.weight_VD.abs().max().item<double>(), 1e-5);
  }
}

// Bug: PPO's minimum taken the wrong way, so that a token which already went too far is pushed on.
TEST(Policy, ClippingTakesTheGradientOfTokensThatWentTooFar) {
  const DrawnProblem problem;
  const auto gradient = [&](double log_ratio, double advantage) {
    DrawnTokens one{.token_M = problem.drawn.token_M.narrow(0, 0, 1)};
    const Problem first = problem.rows(0, 1);
    const Tensor logp = problem.logp(problem.student_MD, problem.student, 1).narrow(0, 0, 1);
    one.sampler_logp_M = logp - log_ratio;
    one.teacher_logp_M = logp + advantage;
    return differentiate(first, one, {.terms = {kSampled}}).weight_VD.abs().max().item<double>();
  };
  EXPECT_EQ(gradient(0.5, 1), 0);     // likelier already, and better
  EXPECT_GT(gradient(0.5, -1), 0.1);  // likelier, and worse: brought back
  EXPECT_EQ(gradient(-0.5, -1), 0);
  EXPECT_GT(gradient(-0.5, 1), 0.1);
  const Loss loss =
      policy_loss({.terms = {kSampled}}, problem.student_MD, problem.student, problem.drawn, 1);
  EXPECT_GT(loss.sums.at("clip_share"), 0);
  EXPECT_LT(loss.sums.at("clip_share"), 7);
}

// Bug: a weight of a sum that scales the value alone.
TEST(Policy, TermsAddWithTheirWeights) {
  const DrawnProblem problem;
  const Gradients one = differentiate(problem, problem.drawn, {.terms = {kSampled}});
  const Policy third{.terms = {{PolicyKind::sampled_reverse_kl, 0.3}}};
  const Gradients part = differentiate(problem, problem.drawn, third);
  EXPECT_NEAR(part.value, 0.3 * one.value, 1e-9);
  EXPECT_LT(relative_difference(part.weight_VD, 0.3 * one.weight_VD), 1e-9);
}

TEST(Policy, RefusesWhatHasNoGradient) {
  const DrawnProblem problem;
  const auto loss = [&](const Policy& policy) {
    return policy_loss(policy, problem.student_MD, problem.student, problem.drawn, 1);
  };
  EXPECT_THROW(loss({.terms = {kSampled}, .temperature = 0}), Error);
  EXPECT_THROW(loss({.terms = {kSampled}, .clip = 1}), Error);
  EXPECT_THROW(loss({.terms = {kSampled}, .clip = -0.1}), Error);
  EXPECT_THROW(loss({.terms = {kSampled}, .kl_weight = -1}), Error);
}

TEST(Policy, ANanMakesTheLossNan) {
  const DrawnProblem problem;
  problem.student.bias_V[36] = std::nan("");
  const Loss loss =
      policy_loss({.terms = {kSampled}}, problem.student_MD, problem.student, problem.drawn, 7);
  EXPECT_TRUE(std::isnan(loss.value.item<double>()));
}

}  // namespace
}  // namespace alambic
