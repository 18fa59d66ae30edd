#include "alambic/selftest/policy_problem.h"

#include "alambic/objective/cross_entropy.h"

namespace alambic::selftest {
namespace {

const std::vector<int64_t> kTokens = {0, 36, 5, 5, 17, 20, 35};

double reference_term(PolicyKind kind, const DrawnProblem& problem, int64_t m,
                      const Problem& frozen, const reference::DrawnToken& token) {
  const reference::Row now = problem.student_logits(m);
  const double T = token.temperature;
  switch (kind) {
    case PolicyKind::grpo:
      return reference::grpo(now, token, problem.drawn.advantage_M[m].item<double>());
    case PolicyKind::long_term_kl:
      return T * T *
             reference::clipped_surrogate(now, token, problem.drawn.return_M[m].item<double>());
    case PolicyKind::sampled_reverse_kl:
      break;
  }
  return reference::sampled_reverse_kl(now, frozen.student_logits(m), problem.teacher_logits(m),
                                       token);
}

}  // namespace

DrawnProblem::DrawnProblem(double temperature) : Problem(random_problem(7, 37, true)) {
  drawn.token_M = at::tensor(kTokens);
  drawn.teacher_logp_M = logp(teacher().hidden_MD, teacher().head, temperature);
  drawn.sampler_logp_M = logp(student_MD, student, temperature) - at::linspace(-0.5, 0.45, 7);
  drawn.reference_logp_M = drawn.teacher_logp_M;
  drawn.advantage_M = at::linspace(-1.5, 2, 7, at::kDouble);
  drawn.return_M = at::linspace(1, -2, 7, at::kDouble);
}

Tensor DrawnProblem::logp(const Tensor& hidden_MD, const Head& head, double T) const {
  return target_log_probabilities(hidden_MD, head, drawn.token_M, T).to(at::kDouble);
}

double DrawnProblem::reference_sum(const Policy& policy, const Problem& frozen) const {
  double total = 0;
  for (int64_t m = 0; m < 7; ++m) {
    const reference::DrawnToken token{.token = static_cast<int>(kTokens[m]),
                                      .sampler_logp = drawn.sampler_logp_M[m].item<double>(),
                                      .temperature = policy.temperature,
                                      .clip = policy.clip};
    for (const PolicyTerm& term : policy.terms) {
      total += term.weight * reference_term(term.kind, *this, m, frozen, token);
    }
    total +=
        policy.kl_weight * reference::reference_kl(student_logits(m), teacher_logits(m), token);
  }
  return total;
}

std::vector<Policy> policies(double temperature, double clip) {
  std::vector<Policy> result;
  for (const PolicyInfo& info : policy_infos()) {
    result.push_back({.terms = {{info.kind}}, .temperature = temperature, .clip = clip});
  }
  result.push_back({.terms = {{PolicyKind::sampled_reverse_kl, 0.3}, {PolicyKind::grpo, 0.7}},
                    .temperature = temperature,
                    .clip = clip,
                    .kl_weight = 0.4});
  return result;
}

Gradients differentiate(const Problem& problem, const DrawnTokens& drawn, const Policy& policy,
                        double normalizer, const ChunkOptions& chunk) {
  const Tensor hidden = problem.student_MD.detach().clone().requires_grad_();
  Head head = problem.student;
  head.weight_VD = head.weight_VD.dense().detach().clone().requires_grad_();
  if (head.bias_V.defined()) head.bias_V = head.bias_V.detach().clone().requires_grad_();
  const Loss loss = policy_loss(policy, hidden, head, drawn, normalizer, chunk);
  loss.value.backward();
  return {loss.value.item<double>(), hidden.grad(), head.weight_VD.dense().grad(),
          head.bias_V.defined() ? head.bias_V.grad() : Tensor()};
}

Enumerated::Enumerated(double temperature) : problem(random_problem(1, 37, true)) {
  exact = differentiate(problem, Divergence{.kd_temperature = temperature});
  probability_V = at::tensor(reference::log_softmax(problem.student_logits(0), temperature)).exp();
}

Tensor Enumerated::older_V() const {
  return (probability_V.log() + at::linspace(-4, 5, 37, at::kDouble).sin()).softmax(0);
}

std::pair<double, Tensor> Enumerated::expected(const Policy& policy, const Tensor& sampler_V,
                                               const Tensor& mixture_V) const {
  const Tensor drawn_from_V = mixture_V.defined() ? mixture_V : sampler_V;
  double value = 0;
  Tensor gradient = at::zeros_like(problem.student.weight_VD.dense());
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

}  // namespace alambic::selftest
