#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "alambic/selftest/objective_properties.h"
#include "alambic/selftest/problem.h"

namespace alambic::selftest {
namespace {

std::vector<Divergence> objectives() {
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

std::string name_of(const Divergence& divergence) { return info_of(divergence.terms[0].kind).name; }

void whole_vocabulary(Deviation& worst) {
  for (const auto dtype : {at::kDouble, at::kFloat}) {
    const Problem problem = random_problem(7, 37).to(dtype);
    for (Divergence divergence : objectives()) {
      const Gradients full = differentiate(problem, divergence);
      divergence.topk = 37;
      for (const TopKBy by : {TopKBy::teacher, TopKBy::student, TopKBy::both}) {
        divergence.topk_by = by;
        const Gradients found = differentiate(problem, divergence);
        worst.compare(found.value, full.value, 3e-6, name_of(divergence));
        worst.add(relative_difference(found.weight_VD, full.weight_VD), 1e-5,
                  name_of(divergence) + ", gradient");
      }
    }
  }
}

// Data processing: merging tokens into a bucket can only bring distributions nearer, and each token
// taken out of the bucket can only take them apart.
void lower_bound(Deviation& worst) {
  const Problem problem = random_problem(7, 37);
  for (Divergence divergence : objectives()) {
    const double full = differentiate(problem, divergence).value;
    double before = 0;
    for (const int64_t K : {1, 2, 5, 20, 36}) {
      divergence.topk = K;
      const double value = differentiate(problem, divergence).value;
      const std::string where = fmt::format("{}, K = {}", name_of(divergence), K);
      worst.add(std::max(0.0, before - value), 1e-12, where);
      worst.add(std::max(0.0, value - full), 1e-12, where);
      before = value;
    }
    worst.expect(before > 0, name_of(divergence) + ": nothing was compared");
  }
}

void given_tokens(Deviation& worst) {
  for (const double T : {1.0, 2.0}) {
    for (const auto dtype : {at::kDouble, at::kFloat}) {
      const Problem problem = random_problem(7, 37).to(dtype);
      for (Divergence divergence : objectives()) {
        divergence.kd_temperature = T;
        divergence.topk = 5;
        const Gradients local = differentiate(problem, divergence);
        divergence.topk = 0;
        const Gradients found = differentiate(remote(problem, 5, T), divergence);
        worst.compare(found.value, local.value, 1e-5, name_of(divergence));
        worst.add(relative_difference(found.weight_VD, local.weight_VD), 1e-5,
                  name_of(divergence) + ", gradient");
        const Gradients rows = differentiate(remote(problem, 5, T), divergence, 1, {.rows = 2});
        worst.compare(rows.value, found.value, 1e-6, name_of(divergence) + ", chunks");
      }
    }
  }
}

void no_tail(Deviation& worst) {
  const Problem problem = random_problem(2, 37).to(at::kFloat);
  const Tensor logp = at::full({2, 2}, -30.0);
  logp.select(1, 0).fill_(0);
  const Tensor token = at::tensor(std::vector<int64_t>{3, 5, 8, 1}).view({2, 2});
  const Problem peaked{problem.student_MD, problem.student,
                       TopK{.logp_MK = logp, .token_MK = token}};
  for (const Divergence& divergence : objectives()) {
    const Gradients found = differentiate(peaked, divergence);
    worst.expect(std::isfinite(found.value), name_of(divergence));
    worst.expect(found.weight_VD.isfinite().all().item<bool>(), name_of(divergence) + ", gradient");
  }
}

}  // namespace

std::vector<Property> topk_properties() {
  return {
      {"TopKOfTheWholeVocabularyIsTheFullDivergence",
       "top-K of the whole vocabulary is the full divergence",
       "truncation without a tail (verl), renormalization (NeMo-RL, ms-swift)", whole_vocabulary},
      {"TopKIsALowerBoundThatRisesWithK", "top-K with its tail is never above the exact loss",
       "a tail of 1 − Σ that is noise; a bucket left out", lower_bound},
      {"GivenTokensAreWorthWhatTheTeachersHiddenStatesAre",
       "K tokens from a server or a cache give the local teacher's loss",
       "teacher server and local teacher differ (ms-swift #9671)", given_tokens},
      {"ATeacherThatLeavesNoTailGivesAFiniteLoss", "a teacher without a tail has a finite loss",
       "log 0 where float32 leaves nothing for the tail", no_tail}};
}

}  // namespace alambic::selftest
