#include <fmt/format.h>

#include <cmath>

#include "alambic/objective/group_advantage.h"
#include "alambic/objective/returns.h"
#include "alambic/selftest/objective_properties.h"
#include "alambic/selftest/policy_problem.h"

namespace alambic::selftest {
namespace {

const PolicyTerm kSampled{PolicyKind::sampled_reverse_kl}, kGrpo{PolicyKind::grpo};

std::string name_of(const Policy& policy) {
  std::string name = fmt::format("T {}, clip {}", policy.temperature, policy.clip);
  for (const PolicyTerm& term : policy.terms) name += ", " + info_of(term.kind).name;
  return name;
}

void definition(Deviation& worst) {
  for (const double temperature : {1.0, 0.7}) {
    const DrawnProblem problem(temperature);
    for (const double clip : {0.0, 0.2}) {
      for (const Policy& policy : policies(temperature, clip)) {
        const double expected = problem.reference_sum(policy, problem) / 7;
        for (const auto dtype : {at::kDouble, at::kFloat}) {
          const Problem typed = problem.to(dtype);
          for (const int64_t rows : {0, 1, 3}) {
            const Loss loss = policy_loss(policy, typed.student_MD, typed.student, problem.drawn, 7,
                                          {.rows = rows});
            // The drawn tokens' log-probabilities are float32.
            worst.compare(loss.value.item<double>(), expected, dtype == at::kDouble ? 1e-6 : 1e-5,
                          name_of(policy));
          }
        }
      }
    }
  }
}

void differences(Deviation& worst) {
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
        const double allowed = dtype == at::kDouble ? 1e-6 : 1e-5;
        const Gradients found =
            differentiate(problem.to(dtype), problem.drawn, policy, 7, {.rows = 2});
        worst.add(relative_difference(found.hidden_MD, hidden), allowed, name_of(policy));
        worst.add(relative_difference(found.bias_V, bias), allowed, name_of(policy) + ", bias");
      }
    }
  }
}

void compare(Deviation& worst, const Enumerated& all, const std::pair<double, Tensor>& found,
             const std::string& where) {
  worst.compare(found.first, all.exact.value, 1e-9, where);
  worst.add(relative_difference(found.second, all.exact.weight_VD), 1e-9, where + ", gradient");
}

void sampled_is_exact(Deviation& worst) {
  for (const double temperature : {1.0, 0.7}) {
    const Enumerated all(temperature);
    const Policy policy{.terms = {kSampled}, .temperature = temperature};
    compare(worst, all, all.expected(policy, all.probability_V), name_of(policy));
  }
  const Enumerated all(1);
  const Policy free{.terms = {kSampled}, .clip = 0};
  compare(worst, all, all.expected(free, all.older_V()), "an older policy's tokens");
  const auto teacher = reference::log_softmax(all.problem.teacher_logits(0));
  const Tensor mixture_V = 0.8 * at::tensor(teacher).exp() + 0.2 * all.probability_V;
  compare(worst, all, all.expected({.terms = {kSampled}}, all.probability_V, mixture_V),
          "tokens of a mixture with the teacher");
}

void reference_is_exact(Deviation& worst) {
  const Enumerated all(1);
  compare(worst, all, all.expected({.kl_weight = 1}, all.probability_V), "its own tokens");
  compare(worst, all, all.expected({.kl_weight = 1}, all.older_V()), "an older policy's tokens");
}

void models_agree(Deviation& worst) {
  for (const double temperature : {1.0, 2.0}) {
    DrawnProblem problem(temperature);
    problem.drawn.teacher_logp_M = problem.logp(problem.student_MD, problem.student, temperature);
    const Policy policy{.terms = {kSampled}, .temperature = temperature};
    const Gradients found = differentiate(problem, problem.drawn, policy);
    worst.add(std::abs(found.value), 1e-5, name_of(policy));
    worst.add(found.weight_VD.abs().max().item<double>(), 1e-5, name_of(policy) + ", gradient");
  }
}

// The value is −Σ A and the gradient −Σ A·∇log q, the plain policy gradient: nothing is clipped.
void first_step(Deviation& worst) {
  DrawnProblem problem;
  problem.drawn.sampler_logp_M = problem.logp(problem.student_MD, problem.student, 1);
  const Policy policy{.terms = {kGrpo}};
  const Gradients held = differentiate(problem, problem.drawn, policy);
  const Gradients free = differentiate(problem, problem.drawn, {.terms = {kGrpo}, .clip = 0});
  worst.compare(held.value, -problem.drawn.advantage_M.sum().item<double>(), 1e-6, "value");
  worst.add(relative_difference(held.weight_VD, free.weight_VD), 1e-12, "clipped, gradient");
  const Loss loss = policy_loss(policy, problem.student_MD, problem.student, problem.drawn, 1);
  worst.expect(loss.sums.at("clip_share") == 0, "tokens count as clipped");
  const Tensor hidden = finite_differences(problem.student_MD, [&] {
    double value = 0;
    for (int64_t m = 0; m < 7; ++m) {
      const auto log_q = reference::log_softmax(problem.student_logits(m));
      value -= problem.drawn.advantage_M[m].item<double>() *
               log_q[problem.drawn.token_M[m].item<int64_t>()];
    }
    return value;
  });
  worst.add(relative_difference(held.hidden_MD, hidden), 1e-6, "gradient");
}

void clipping(Deviation& worst) {
  const DrawnProblem problem;
  const Tensor logp_M = problem.logp(problem.student_MD, problem.student, 1).narrow(0, 0, 1);
  const auto gradient = [&](double log_ratio, double advantage) {
    const DrawnTokens one{.token_M = problem.drawn.token_M.narrow(0, 0, 1),
                          .sampler_logp_M = logp_M - log_ratio,
                          .advantage_M = at::full({1}, advantage, at::kDouble)};
    const Policy policy{.terms = {kGrpo}};
    return differentiate(problem.rows(0, 1), one, policy).weight_VD.abs().max().item<double>();
  };
  worst.expect(gradient(0.5, 1) == 0, "likelier already, and better: pushed on");
  worst.expect(gradient(0.5, -1) > 0.1, "likelier, and worse: not brought back");
  worst.expect(gradient(-0.5, -1) == 0, "rarer already, and worse: pushed on");
  worst.expect(gradient(-0.5, 1) > 0.1, "rarer, and better: not brought back");
  worst.expect(gradient(0.1, 1) > 0.1, "has hardly moved: clipped");
  const Loss loss =
      policy_loss({.terms = {kGrpo}}, problem.student_MD, problem.student, problem.drawn, 1);
  const double share = loss.sums.at("clip_share");
  worst.expect(share > 0 && share < 7, "clip_share counts other tokens");
}

// Rows of the hidden states' gradient, which is each token's own.
void silent_tokens(Deviation& worst) {
  DrawnProblem problem;
  problem.drawn.advantage_M[2] = 0;
  problem.drawn.return_M[2] = 0;
  for (const PolicyKind kind : {PolicyKind::grpo, PolicyKind::long_term_kl}) {
    const Tensor rows = differentiate(problem, problem.drawn, {.terms = {{kind}}, .clip = 0})
                            .hidden_MD.abs()
                            .amax(1);
    worst.add(rows[2].item<double>(), 0, info_of(kind).name);
    worst.expect(rows[3].item<double>() > 0, info_of(kind).name + ": no token has a gradient");
  }
  problem.drawn.weight_M = at::ones({7}, at::kDouble);
  problem.drawn.weight_M[4] = 0;
  for (const Policy& policy : policies(1, 0)) {
    const Tensor rows = differentiate(problem, problem.drawn, policy).hidden_MD.abs().amax(1);
    worst.add(rows[4].item<double>(), 0, name_of(policy) + ": a weight of 0");
  }
}

void groups(Deviation& worst) {
  const float none = std::nanf("");
  const std::vector<float> scores = {1, 4, none, 2, 7, 7, 7, 7};
  const auto of = [](const std::vector<float>& scores, AdvantageKind kind) {
    return group_advantages(scores, 4, kind).advantages;
  };
  for (const AdvantageKind kind : {AdvantageKind::grpo, AdvantageKind::dr_grpo}) {
    const std::string name = kind == AdvantageKind::grpo ? "grpo" : "dr_grpo";
    const std::vector<double> found = of(scores, kind);
    double squares = 0;
    for (const double a : {found[0], found[1], found[3]}) squares += a * a;
    worst.add(std::abs(found[0] + found[1] + found[3]), 1e-12, name + ": the mean");
    // Deviations of 1, 4 and 2 from their mean: squares 14/3, by n − 1 that is 7/3.
    const double divisor = kind == AdvantageKind::grpo ? std::sqrt(7.0 / 3) + 1e-4 : 1;
    worst.compare(squares, 14.0 / 3 / (divisor * divisor), 1e-9, name + ": the deviation");
    worst.expect(found[2] == 0, name + ": a completion without a score is pushed");
    for (int i = 4; i < 8; ++i) worst.expect(found[i] == 0, name + ": alike, but told apart");
    std::vector<float> moved = scores;
    for (size_t i = 0; i < 4; ++i) moved[i] += 16;
    moved[5] = 90;
    const std::vector<double> shifted = of(moved, kind);
    for (int i = 0; i < 4; ++i) {
      worst.add(std::abs(shifted[i] - found[i]), 1e-12, name + ": another prompt's scores count");
    }
  }
}

// Completions of three tokens over a vocabulary of three; the hidden state depends on all tokens so
// far: row 0 after the prompt, 1 to 3 after one token, 4 to 12 after two.
struct Tree {
  static constexpr int64_t V = 3;
  Tensor hidden, weight, teacher;

  Tree() {
    auto generator = at::make_generator<at::CPUGeneratorImpl>(5);
    const auto random = [&](at::IntArrayRef shape) {
      return at::randn(shape, generator, at::TensorOptions().dtype(at::kDouble));
    };
    hidden = random({13, 4});
    weight = random({V, 4});
    teacher = random({13, V}).log_softmax(-1);
  }
  static Tensor log_q(const Tensor& hidden, const Tensor& weight) {
    return at::mm(hidden, weight.t()).log_softmax(-1);
  }
};

/// Log-probabilities of a completion's tokens.
struct TreeCompletion {
  Tensor row_M, token_M;

  Tensor of_tokens(const Tensor& log_RV) const {
    return log_RV.index_select(0, row_M).gather(1, token_M.unsqueeze(1)).squeeze(1);
  }
};

std::vector<TreeCompletion> every_completion() {
  constexpr int64_t V = Tree::V;
  std::vector<TreeCompletion> completions;
  for (int64_t i = 0; i < V * V * V; ++i) {
    const int64_t a = i / (V * V), b = i / V % V, c = i % V;
    completions.push_back({at::tensor(std::vector<int64_t>{0, 1 + a, 4 + V * a + b}),
                           at::tensor(std::vector<int64_t>{a, b, c})});
  }
  return completions;
}

// The head's gradient of KL(q(completion)‖p(completion)).
Tensor gradient_of_whole_completions(const Tree& tree) {
  const Tensor weight = tree.weight.clone().requires_grad_();
  const Tensor log_q = Tree::log_q(tree.hidden, weight);
  Tensor divergence = at::zeros({}, at::kDouble);
  for (const TreeCompletion& completion : every_completion()) {
    const Tensor own = completion.of_tokens(log_q).sum();
    divergence = divergence + own.exp() * (own - completion.of_tokens(tree.teacher).sum());
  }
  divergence.backward();
  return weight.grad();
}

Tensor gradient_of_minillm(const Tree& tree, bool long_term) {
  const Tensor weight = tree.weight.clone().requires_grad_();
  const Head head{.weight_VD = weight};
  const Tensor now = Tree::log_q(tree.hidden, tree.weight);
  for (const TreeCompletion& completion : every_completion()) {
    const Tensor hidden_MD = tree.hidden.index_select(0, completion.row_M);
    const Tensor sampler = completion.of_tokens(now), teacher = completion.of_tokens(tree.teacher);
    // A teacher whose hidden states are its logits.
    const HiddenStates teacher_output{.hidden_MD = tree.teacher.index_select(0, completion.row_M),
                                      .head = {.weight_VD = at::eye(Tree::V, at::kDouble)}};
    Tensor loss = divergence_loss({}, hidden_MD, head, teacher_output, 1).value;
    if (long_term) {
      const DrawnTokens drawn{.token_M = completion.token_M,
                              .sampler_logp_M = sampler,
                              .teacher_logp_M = teacher,
                              .return_M = returns_M(teacher - sampler, {3}, false)};
      loss = loss +
             policy_loss({.terms = {{PolicyKind::long_term_kl}}}, hidden_MD, head, drawn, 1).value;
    }
    (loss * sampler.sum().exp().item<double>()).backward();
  }
  return weight.grad();
}

void whole_completions(Deviation& worst) {
  const Tree tree;
  const Tensor exact = gradient_of_whole_completions(tree);
  worst.add(relative_difference(gradient_of_minillm(tree, true), exact), 1e-9, "both terms");
  worst.expect(relative_difference(gradient_of_minillm(tree, false), exact) > 0.05,
               "the exact term alone: later tokens do not show in this example");
}

}  // namespace

std::vector<Property> policy_properties() {
  return {
      {"DrawnTokensAreWorthTheirDefinition", "objectives of drawn tokens equal their definitions",
       "a term of the wrong sign, the ratio upside down, T where T² belongs, a chunk's own mean",
       definition},
      {"DrawnTokensGradientsAreTheDefinitionsDifferences",
       "gradients of drawn tokens are the definitions' differences; advantages are constants",
       "a gradient through the advantage (TRL's MiniLLM), none through the ratio", differences},
      {"TheSampledReverseKlIsTheExactOneExpected",
       "enumerated, the sampled reverse KL has the exact one's value and gradient, for tokens of "
       "an older policy and of a mixture with the teacher too",
       "k3 or k1 differentiated (verl, TorchRL); tokens of a policy that has moved, unweighted",
       sampled_is_exact},
      {"TheReferenceKlIsTheExactOneExpected",
       "enumerated, the estimated KL from the reference has the exact one's value and gradient",
       "k3 without its ratio, whose gradient is the forward KL's (GRPO, TRL's default)",
       reference_is_exact},
      {"DrawnTokensTeachNothingWhereTheModelsAgree",
       "drawn tokens teach nothing where the models agree", "a row beside its own", models_agree},
      {"TheFirstStepIsThePlainPolicyGradient",
       "before the policy moves, ratios are 1 and the gradient is the plain policy gradient",
       "the trainer's log-probabilities beside another sampler's; clipping at the first step",
       first_step},
      {"ClippingTakesTheGradientOfTokensThatWentTooFar",
       "clipping stops tokens that went too far and brings back those that went the wrong way",
       "PPO's minimum taken the wrong way", clipping},
      {"TokensWithoutAnAdvantageOrAWeightHaveNoGradient",
       "tokens without an advantage, or of weight 0, have no gradient",
       "padding and masked tokens in the loss (TRL's MiniLLM)", silent_tokens},
      {"AdvantagesCompareAnswersToOnePrompt",
       "advantages compare completions to one prompt, and those without a score count nowhere",
       "statistics over the whole batch; a missing score that counts as 0", groups},
      {"MinillmHasTheGradientOfWholeAnswers",
       "enumerated, MiniLLM's terms have the gradient of the reverse KL of whole answers",
       "a token's own reward counted twice (TRL's MiniLLM), no effect on later tokens",
       whole_completions}};
}

}  // namespace alambic::selftest
