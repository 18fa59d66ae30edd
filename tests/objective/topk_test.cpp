// Divergences over K tokens and a bucket for all others. EveryDivergence (divergence_test.cpp)
// holds them to their definition; here are the promises of the buckets.
#include <gtest/gtest.h>

#include "alambic/base/error.h"
#include "problem.h"

namespace alambic {
namespace {

std::vector<Divergence> every_objective() {
  using enum DivergenceKind;
  std::vector<Divergence> result;
  for (const DivergenceTerm& term : {DivergenceTerm{forward_kl},
                                     {reverse_kl},
                                     {jsd, 0.3},
                                     {skew_kl, 0.1},
                                     {skew_reverse_kl, 0.1},
                                     {tvd}}) {
    result.push_back({.terms = {term}});
  }
  return result;
}

/// The teacher's K most likely tokens as a server or a cache sends them.
Problem remote(const Problem& problem, int64_t K, double T) {
  const Tensor logp_MV = at::log_softmax(
      at::mm(problem.judgement.hidden_MD, problem.judgement.head.weight_VD.t()) / T, -1);
  const auto [logp_MK, token_MK] = at::topk(logp_MV, K, -1);
  return {problem.student_MD,
          problem.student,
          {.topk_logp_MK = logp_MK.to(at::kFloat), .token_MK = token_MK}};
}

// Bug: truncation without a tail (verl), renormalisation (NeMo-RL, ms-swift): another number.
TEST(TopK, OfTheWholeVocabularyIsTheFullDivergence) {
  for (const auto dtype : {at::kDouble, at::kFloat}) {
    const Problem problem = random_problem(7, 37).to(dtype);
    for (Divergence divergence : every_objective()) {
      const Gradients full = differentiate(problem, divergence);
      divergence.topk = 37;
      for (const TopKBy by : {TopKBy::teacher, TopKBy::student, TopKBy::both}) {
        divergence.topk_by = by;
        const Gradients found = differentiate(problem, divergence);
        EXPECT_NEAR(found.value, full.value, 3e-6 * full.value);
        EXPECT_LT(relative_difference(found.weight_VD, full.weight_VD), 1e-5);
      }
    }
  }
}

// Data processing: merging tokens into a bucket can only bring distributions nearer, and each token
// taken out of the bucket can only take them apart.
TEST(TopK, IsALowerBoundThatRisesWithK) {
  const Problem problem = random_problem(7, 37);
  for (Divergence divergence : every_objective()) {
    const double full = differentiate(problem, divergence).value;
    double before = 0;
    for (const int64_t K : {1, 2, 5, 20, 36}) {
      divergence.topk = K;
      const double value = differentiate(problem, divergence).value;
      EXPECT_LE(before, value + 1e-12);
      EXPECT_LE(value, full + 1e-12);
      before = value;
    }
    EXPECT_GT(before, 0);
  }
}

// Bug: at q = p a truncated sum still pushes mass into the teacher's tokens (peers.md 4.2), and
// with 1 − Σ in float32 a small tail is noise.
TEST(TopK, GivenTokensAreWorthWhatTheTeachersHiddenStatesAre) {
  for (const double T : {1.0, 2.0}) {
    for (const auto dtype : {at::kDouble, at::kFloat}) {
      const Problem problem = random_problem(7, 37).to(dtype);
      for (Divergence divergence : every_objective()) {
        divergence.kd_temperature = T;
        divergence.topk = 5;
        const Gradients local = differentiate(problem, divergence);
        divergence.topk = 0;
        const Gradients found = differentiate(remote(problem, 5, T), divergence);
        EXPECT_NEAR(found.value, local.value, 1e-5 * local.value);
        EXPECT_LT(relative_difference(found.weight_VD, local.weight_VD), 1e-5);
        const Gradients one = differentiate(remote(problem, 5, T), divergence, 1, {.rows = 2});
        EXPECT_NEAR(one.value, found.value, 1e-6 * found.value);
      }
    }
  }
}

// Bug: log 0 where a peaked teacher's float32 log-probabilities leave nothing for the tail.
TEST(TopK, ATeacherThatLeavesNoTailGivesAFiniteLoss) {
  const Problem problem = random_problem(2, 37).to(at::kFloat);
  Tensor logp = at::full({2, 2}, -30.0);
  logp.select(1, 0).fill_(0);
  const Tensor token = at::tensor(std::vector<int64_t>{3, 5, 8, 1}).view({2, 2});
  const Problem peaked{
      problem.student_MD, problem.student, {.topk_logp_MK = logp, .token_MK = token}};
  for (const Divergence& divergence : every_objective()) {
    const Gradients found = differentiate(peaked, divergence);
    EXPECT_TRUE(std::isfinite(found.value));
    EXPECT_TRUE(found.weight_VD.isfinite().all().item<bool>());
  }
}

TEST(TopK, RefusesWhatTheTeacherCannotSay) {
  const Problem problem = remote(random_problem(3, 37), 4, 1);
  EXPECT_THROW(differentiate(problem, {.topk = 5}), Error);
  EXPECT_THROW(differentiate(problem, {.topk = 4, .topk_by = TopKBy::student}), Error);
  Problem outside = problem;
  outside.judgement.token_MK = problem.judgement.token_MK + 37;
  EXPECT_THROW(differentiate(outside, {}), Error);
  Problem judged = problem;
  judged.judgement = {.score_S = at::zeros({1})};
  EXPECT_THROW(differentiate(judged, {}), Error);
}

// Bug: a weight of a sum applied to the value and not to the gradient; a divergence normalised only
// in one of them.
TEST(DivergenceSum, IsTheSumOfItsTerms) {
  using enum DivergenceKind;
  const Problem problem = random_problem(4, 37).to(at::kFloat);
  const Gradients a = differentiate(problem, {.terms = {{reverse_kl}}, .kd_temperature = 2});
  const Gradients b = differentiate(problem, {.terms = {{tvd}}, .kd_temperature = 2});
  const Gradients sum =
      differentiate(problem, {.terms = {{reverse_kl, 0, 0.7}, {tvd, 0, 0.3}}, .kd_temperature = 2});
  EXPECT_NEAR(sum.value, 0.7 * a.value + 0.3 * b.value, 1e-5 * sum.value);
  EXPECT_LT(relative_difference(sum.weight_VD, 0.7 * a.weight_VD + 0.3 * b.weight_VD), 1e-5);
}

// Bug: an effective learning rate that jumps a hundredfold between beta 0.01 and 0 (peers.md 4.6).
TEST(NormalisedJsd, IsContinuousAtBothEnds) {
  const Problem problem = random_problem(5, 40);
  for (const double end : {0.0, 1.0}) {
    const double near = std::abs(end - 1e-6);
    const Gradients at = differentiate(problem, generalised_jsd(end, 1, true));
    const Gradients beside = differentiate(problem, generalised_jsd(near, 1, true));
    EXPECT_NEAR(beside.value, at.value, 0.01 * at.value);
    EXPECT_LT(relative_difference(beside.weight_VD, at.weight_VD), 0.02);
  }
}

}  // namespace
}  // namespace alambic
