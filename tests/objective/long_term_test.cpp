// MiniLLM's two terms against the reverse KL of whole answers.
#include <gtest/gtest.h>

#include "alambic/base/error.h"
#include "alambic/objective/policy.h"
#include "alambic/objective/policy_ref.h"
#include "alambic/objective/returns.h"
#include "problem.h"

namespace alambic {
namespace {

// Bug: a token's own reward in its return, counted a second time beside the exact term (TRL's
// MiniLLM), another answer's tokens, a division that is off by one.
TEST(Returns, AreOfTheTokensAfter) {
  const std::vector<int64_t> lengths = {3, 1, 5};
  std::vector<double> rewards;
  for (int i = 0; i < 9; ++i) rewards.push_back(0.5 * i * i - 7);
  for (const bool normalise : {true, false}) {
    const Tensor found = returns_M(at::tensor(rewards), lengths, normalise);
    size_t begin = 0;
    for (const int64_t length : lengths) {
      const std::vector<double> answer(rewards.begin() + static_cast<int64_t>(begin),
                                       rewards.begin() + static_cast<int64_t>(begin) + length);
      for (size_t t = 0; t < answer.size(); ++t) {
        EXPECT_NEAR(found[static_cast<int64_t>(begin + t)].item<double>(),
                    reference::return_after(answer, t, normalise), 1e-12);
      }
      begin += answer.size();
    }
  }
  EXPECT_THROW(returns_M(at::tensor(rewards), {3, 1}), Error);
  EXPECT_THROW(returns_M(at::tensor(rewards), {3, 1, 6}), Error);
}

// Answers of three tokens over a vocabulary of three; the hidden state depends on all tokens so
// far: row 0 after the prompt, 1 to 3 after one token, 4 to 12 after two.
struct Tree {
  static constexpr int64_t V = 3;
  Tensor hidden = at::randn({13, 4}, at::kDouble), weight = at::randn({V, 4}, at::kDouble);
  Tensor teacher = at::randn({13, V}, at::kDouble).log_softmax(-1);

  static std::vector<int64_t> rows(int64_t a, int64_t b) { return {0, 1 + a, 4 + V * a + b}; }
  static Tensor log_q(const Tensor& hidden, const Tensor& weight) {
    return at::mm(hidden, weight.t()).log_softmax(-1);
  }
};

template <class Visit>
void each_answer(const Visit& visit) {
  for (int64_t a = 0; a < Tree::V; ++a) {
    for (int64_t b = 0; b < Tree::V; ++b) {
      for (int64_t c = 0; c < Tree::V; ++c) visit(Tree::rows(a, b), std::vector<int64_t>{a, b, c});
    }
  }
}

// The terms' expectation over all answers is the gradient of KL(q(answer)‖p(answer)); the exact
// term alone, which no token's effect on later ones enters, is not.
TEST(LongTermKl, WithTheExactTermHasTheGradientOfWholeAnswers) {
  at::manual_seed(5);
  const Tree tree;
  const auto log_q_of = [](const Tensor& log_q, const std::vector<int64_t>& rows,
                           const std::vector<int64_t>& tokens) {
    return log_q[rows[0]][tokens[0]] + log_q[rows[1]][tokens[1]] + log_q[rows[2]][tokens[2]];
  };
  const Tensor hidden = tree.hidden.clone().requires_grad_();
  const Tensor weight = tree.weight.clone().requires_grad_();
  const Tensor log_q = Tree::log_q(hidden, weight);
  Tensor divergence = at::zeros({}, at::kDouble);
  each_answer([&](const auto& rows, const auto& tokens) {
    const Tensor own = log_q_of(log_q, rows, tokens);
    divergence = divergence + own.exp() * (own - log_q_of(tree.teacher, rows, tokens));
  });
  divergence.backward();

  const auto expected = [&](bool long_term) {
    const Tensor h = tree.hidden.clone().requires_grad_(), w = tree.weight.clone().requires_grad_();
    const Tensor now = Tree::log_q(tree.hidden, tree.weight);
    each_answer([&](const auto& rows, const auto& tokens) {
      const double probability = log_q_of(now, rows, tokens).exp().template item<double>();
      const Tensor token_M = at::tensor(tokens), row_M = at::tensor(rows);
      const Tensor hidden_MD = h.index_select(0, row_M);
      const auto of_tokens = [&](const Tensor& log_p) {
        return log_p.index_select(0, row_M).gather(1, token_M.unsqueeze(1)).squeeze(1);
      };
      // A teacher whose hidden states are its logits.
      const Judgement judgement{.hidden_MD = tree.teacher.index_select(0, row_M),
                                .head = {.weight_VD = at::eye(Tree::V, at::kDouble)}};
      Tensor loss = divergence_loss({}, hidden_MD, {.weight_VD = w}, judgement, 1).value;
      if (long_term) {
        const DrawnTokens drawn{
            .token_M = token_M,
            .sampler_logp_M = of_tokens(now),
            .teacher_logp_M = of_tokens(tree.teacher),
            .return_M = returns_M(of_tokens(tree.teacher) - of_tokens(now), {3}, false)};
        const Policy policy{.terms = {{PolicyKind::long_term_kl}}};
        loss = loss + policy_loss(policy, hidden_MD, {.weight_VD = w}, drawn, 1).value;
      }
      (loss * probability).backward();
    });
    return std::pair(h.grad(), w.grad());
  };
  const auto [both_h, both_w] = expected(true);
  EXPECT_LT(relative_difference(both_h, hidden.grad()), 1e-9);
  EXPECT_LT(relative_difference(both_w, weight.grad()), 1e-9);
  const auto [exact_h, exact_w] = expected(false);
  EXPECT_GT(relative_difference(exact_w, weight.grad()), 0.05);
}

}  // namespace
}  // namespace alambic
