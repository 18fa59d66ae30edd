#include <fmt/format.h>

#include <cmath>

#include "alambic/selftest/objective_properties.h"
#include "alambic/selftest/problem.h"

namespace alambic::selftest {
namespace {

// q = (0.8, 0.2), p = (0.3, 0.7); by hand:
//   KL(p‖q) = 0.3·ln(0.3/0.8) + 0.7·ln(0.7/0.2)             = 0.5826847
//   KL(q‖p) = 0.8·ln(0.8/0.3) + 0.2·ln(0.2/0.7)             = 0.5341108
//   beta = 0.1: m = (0.75, 0.25), 0.1·KL(p‖m) + 0.9·KL(q‖m) = 0.0508866
//   skew 0.1: KL(p‖(0.75, 0.25))                            = 0.4458463
//   skew reverse 0.1: KL(q‖(0.35, 0.65))                    = 0.4256119
//   TVD: ½·(0.5 + 0.5)                                      = 0.5
void closed_forms(Deviation& worst) {
  using enum DivergenceKind;
  const std::pair<DivergenceTerm, double> cases[] = {{{jsd, 0}, 0.5826847},
                                                     {{jsd, 1}, 0.5341108},
                                                     {{jsd, 0.1}, 0.0508866},
                                                     {{forward_kl}, 0.5826847},
                                                     {{reverse_kl}, 0.5341108},
                                                     {{skew_kl, 0.1}, 0.4458463},
                                                     {{skew_reverse_kl, 0.1}, 0.4256119},
                                                     {{tvd}, 0.5}};
  for (const auto dtype : {at::kDouble, at::kFloat}) {
    const Problem problem =
        one_row({std::log(0.8), std::log(0.2)}, {std::log(0.3), std::log(0.7)}).to(dtype);
    for (const auto& [term, expected] : cases) {
      worst.add(std::abs(loss_of(problem, {.terms = {term}}) - expected), 1e-6,
                fmt::format("{} {}", info_of(term.kind).name, term.parameter));
    }
  }
}

// At T = 2 logits (4, 0) and (0, 2) become (2, 0) and (0, 1):
// 4·KL((0.2689414, 0.7310586) ‖ (0.8807971, 0.1192029)) = 4·1.0066205; TVD: 2·0.6118557
void square_of_the_temperature(Deviation& worst) {
  const double q = 1 / (1 + std::exp(-2.0)), p = 1 / (1 + std::exp(1.0));
  const double kl = p * std::log(p / q) + (1 - p) * std::log((1 - p) / (1 - q));
  const Problem problem = one_row({4, 0}, {0, 2});
  worst.compare(loss_of(problem, generalized_jsd(0, 2)), 4 * kl, 1e-12, "forward_kl");
  worst.compare(loss_of(problem, {.terms = {{DivergenceKind::tvd}}, .kd_temperature = 2}),
                2 * std::abs(p - q), 1e-12, "tvd");
}

void jensen_shannon(Deviation& worst) {
  for (const auto dtype : {at::kDouble, at::kFloat}) {
    const Problem problem = random_problem(5, 40).to(dtype);
    const Problem swapped{problem.teacher().hidden_MD, problem.teacher().head,
                          HiddenStates{.hidden_MD = problem.student_MD, .head = problem.student}};
    worst.compare(loss_of(swapped, generalized_jsd(0.5)), loss_of(problem, generalized_jsd(0.5)),
                  1e-5, "swapped");
    const Problem far = one_row({100, 0, 0}, {0, 100, 0}).to(dtype);
    worst.add(std::abs(loss_of(far, generalized_jsd(0.5)) - std::log(2)), 1e-6, "far apart");
  }
}

void ends_of_beta(Deviation& worst) {
  const Problem problem = random_problem(5, 40);
  for (const auto dtype : {at::kDouble, at::kFloat}) {
    for (const double end : {0.0, 1.0}) {
      const Gradients at = differentiate(problem.to(dtype), generalized_jsd(end, 1, true));
      const Gradients beside =
          differentiate(problem.to(dtype), generalized_jsd(std::abs(end - 1e-5), 1, true));
      const std::string where = fmt::format("beta {}", end);
      worst.compare(beside.value, at.value, 0.02, where);
      worst.add(relative_difference(beside.weight_VD, at.weight_VD), 0.03, where + ", gradient");
    }
  }
}

struct Sampled {
  double k1_reward[3] = {}, k2[3] = {}, k3[3] = {}, forward[3] = {};
};

/// Expected gradients with regard to the logits over every token that the student may draw, by
/// enumeration, d = log p − log q. Of −sg(d)·log q (the policy gradient), of k2 = d²/2 and of
/// k3 = eᵈ − 1 − d where they are differentiated as they stand.
Sampled enumerate(const reference::Row& log_q, const reference::Row& log_p) {
  Sampled sums;
  for (int drawn = 0; drawn < 3; ++drawn) {
    const double q = std::exp(log_q[drawn]), d = log_p[drawn] - log_q[drawn];
    for (int v = 0; v < 3; ++v) {
      const double slope = (v == drawn) - std::exp(log_q[v]);  // slope of log q[drawn]
      sums.k1_reward[v] += q * -d * slope;
      sums.k2[v] += q * d * -slope;
      sums.k3[v] += q * (1 - std::exp(d)) * slope;
    }
  }
  for (int v = 0; v < 3; ++v) sums.forward[v] = std::exp(log_q[v]) - std::exp(log_p[v]);
  return sums;
}

// ∇KL(q‖p) = Σ_v q_v·(log q_v − log p_v)·∇log q_v, with ∇log q_v = 1_v − q.
void sampled_estimators(Deviation& worst) {
  const reference::Row student = {0.3, -1, 2}, teacher = {1, 0.5, -0.2};
  const Sampled expected =
      enumerate(reference::log_softmax(student), reference::log_softmax(teacher));
  for (const auto dtype : {at::kDouble, at::kFloat}) {
    const Problem problem = one_row(student, teacher).to(dtype);
    const Gradients reverse = differentiate(problem, generalized_jsd(1));
    const Gradients forward = differentiate(problem, generalized_jsd(0));
    for (int v = 0; v < 3; ++v) {
      const auto near = [&](const Gradients& found, double value, const char* what) {
        worst.add(std::abs(found.weight_VD[v].item<double>() - value), 1e-6, what);
      };
      near(reverse, expected.k1_reward[v], "reverse KL and the policy gradient of k1");
      near(reverse, expected.k2[v], "reverse KL and k2");
      near(forward, expected.k3[v], "forward KL and k3");
      near(forward, expected.forward[v], "forward KL and q − p");
    }
  }
}

void sum_of_terms(Deviation& worst) {
  using enum DivergenceKind;
  const Problem problem = random_problem(4, 37).to(at::kFloat);
  const Gradients a = differentiate(problem, {.terms = {{reverse_kl}}, .kd_temperature = 2});
  const Gradients b = differentiate(problem, {.terms = {{tvd}}, .kd_temperature = 2});
  const Gradients sum =
      differentiate(problem, {.terms = {{reverse_kl, 0, 0.7}, {tvd, 0, 0.3}}, .kd_temperature = 2});
  worst.compare(sum.value, 0.7 * a.value + 0.3 * b.value, 1e-5, "value");
  worst.add(relative_difference(sum.weight_VD, 0.7 * a.weight_VD + 0.3 * b.weight_VD), 1e-5,
            "gradient");
}

void soft_cap_and_scale(Deviation& worst) {
  Problem problem = random_problem(3, 11, true);
  problem.student.softcap = 2;
  problem.student.scale = 0.5;
  problem.teacher().head.softcap = 3;
  problem.teacher().head.scale = 1.5;
  for (const double beta : {0.0, 0.3, 1.0}) {
    const Divergence divergence = generalized_jsd(beta, 1.5);
    const auto value = [&] { return problem.reference_sum(divergence); };
    const Gradients found = differentiate(problem, divergence);
    const std::string where = fmt::format("beta {}", beta);
    worst.compare(found.value, value(), 1e-10, where);
    worst.add(relative_difference(found.hidden_MD, finite_differences(problem.student_MD, value)),
              1e-8, where + ", hidden");
    worst.add(relative_difference(found.weight_VD,
                                  finite_differences(problem.student.weight_VD.dense(), value)),
              1e-8, where + ", head");
  }
}

void reported_sums(Deviation& worst) {
  for (const auto dtype : {at::kDouble, at::kFloat}) {
    const Problem problem = random_problem(6, 40).to(dtype);
    double reverse = 0, forward = 0, student_entropy = 0, teacher_entropy = 0;
    for (int64_t m = 0; m < 6; ++m) {
      const auto log_q = reference::log_softmax(problem.student_logits(m), 2);
      const auto log_p = reference::log_softmax(problem.teacher_logits(m), 2);
      reverse += reference::kl(log_q, log_p);
      forward += reference::kl(log_p, log_q);
      student_entropy += reference::entropy(log_q);
      teacher_entropy += reference::entropy(log_p);
    }
    for (const double beta : {0.0, 0.4, 1.0}) {
      const Loss loss = measure_divergence(generalized_jsd(beta, 2), problem.student_MD,
                                           problem.student, problem.teacher_output, {.rows = 4});
      worst.compare(loss.sums.at("reverse_kl"), reverse, 1e-5, "reverse_kl");
      worst.compare(loss.sums.at("forward_kl"), forward, 1e-5, "forward_kl");
      worst.compare(loss.sums.at("student_entropy"), student_entropy, 1e-5, "student_entropy");
      worst.compare(loss.sums.at("teacher_entropy"), teacher_entropy, 1e-5, "teacher_entropy");
    }
  }
}

}  // namespace

std::vector<Property> divergence_properties() {
  return {
      {"KnownDistributionsGiveTheirClosedForms",
       "known distributions give their values by hand; beta 0 is forward, 1 reverse",
       "beta counted from the other end (KDFlow), the mixture swapped (TRL #3043)", closed_forms},
      {"TheTemperatureDividesTheLogitsAndMultipliesByItsSquare",
       "the temperature divides the logits and multiplies by its square (TVD: once)",
       "T once, or on one side only (verl #7769)", square_of_the_temperature},
      {"JensenShannonIsSymmetricAtOneHalfAndAtMostLogTwo",
       "JSD is symmetric at 1/2 and at most log 2", "the mixture of logarithms (TRL #2204)",
       jensen_shannon},
      {"NormalizedJsdIsContinuousAtBothEnds", "normalized JSD is continuous at beta 0 and 1",
       "a learning rate that jumps a hundredfold between beta 0.01 and 0 (GKD)", ends_of_beta},
      {"SampledEstimatorsHaveTheExactGradientsExpected",
       "enumerated sampled estimators have the exact divergences' gradients",
       "the wrong estimator differentiated: k3 trains the forward KL (verl, TorchRL)",
       sampled_estimators},
      {"ASumIsTheSumOfItsTerms", "a weighted sum is the sum of its terms",
       "a weight on the value and not on the gradient", sum_of_terms},
      {"SoftCapAndScaleBelongToTheLogits", "soft-cap and scale belong to the logits",
       "Gemma's soft-cap or Cohere's scale left out of the chain rule", soft_cap_and_scale},
      {"ReportedSumsAreThoseOfItsRows", "reported KLs and entropies are those of the rows",
       "a metric from the other side or at another temperature", reported_sums}};
}

}  // namespace alambic::selftest
