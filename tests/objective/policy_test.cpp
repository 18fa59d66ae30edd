// Refusals and small cases of objectives over drawn tokens; the properties that `alambic selftest`
// holds them to are in alambic/selftest/policy_properties.cpp.
#include "alambic/objective/policy.h"

#include <gtest/gtest.h>

#include "alambic/base/error.h"
#include "alambic/base/random.h"
#include "alambic/rollout/sample.h"
#include "alambic/selftest/policy_problem.h"
#include "problem.h"

namespace alambic::policy_test {
namespace {

const PolicyTerm kSampled{PolicyKind::sampled_reverse_kl};

// The exact reverse KL's, with tokens that the sampler draws, in the gradient of the bias: its
// entries for tokens likely enough to be drawn 100 times. Each mean is about normal around the
// exact entry; the worst of at most 37 is within 5 standard errors but for 1e-4 of seeds (the
// rarest are Poisson of 100, whose tail is longer than the normal's). The last check shows that the
// test sees a bias: top-p draws from another distribution than the ratio's.
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
}  // namespace alambic::policy_test
