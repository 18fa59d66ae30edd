// The policy gradient of spans against enumeration.
#include <gtest/gtest.h>

#include <cmath>

#include "alambic/objective/policy.h"
#include "alambic/train/span_grades.h"
#include "tests/golden.h"

namespace alambic::spans_test {
namespace {

Tensor ids(const std::vector<int64_t>& values) { return at::tensor(values, at::kLong); }

// Sequences that a student may draw, each with its probability, as one batch. The student's logits
// are rows of a table: its hidden states are one-hot.
struct Drawn {
  Tensor table_SV;  // logits of each state
  std::vector<int64_t> state_M, token_M, span_M, sequence_K;
  std::vector<double> logp_K, weight_M;
  double grown = 0;  // log of how much likelier the tokens are than when they were drawn

  // Gradient of the loss with regard to the table.
  Tensor gradient(int64_t lookahead, double share_of_tokens = 1) const {
    const Tensor weight = table_SV.t().contiguous().detach().requires_grad_();  // [V, S]
    Head head;
    head.weight_VD = weight;
    const Tensor hidden_MD = at::eye(table_SV.size(0), at::kDouble).index_select(0, ids(state_M));
    const Tensor logp_SV = at::log_softmax(table_SV, 1);
    DrawnTokens drawn{.token_M = ids(token_M)};
    drawn.sampler_logp_M = logp_SV.index({ids(state_M), ids(token_M)}) - grown;
    drawn.weight_M = at::tensor(weight_M, at::kDouble);
    const int64_t M = static_cast<int64_t>(token_M.size());
    const SpanGrades grades{.map = {.span_M = ids(span_M),
                                    .span_L = {},
                                    .sequence_K = ids(sequence_K),
                                    .end_M = at::zeros({M}, at::kBool)},
                            .logp_K = at::tensor(logp_K, at::kDouble),
                            .share = share_of_tokens,
                            .lookahead = lookahead};
    add_spans(grades, hidden_MD, head, 1, drawn);
    policy_loss({.terms = {{PolicyKind::sampled_reverse_kl}}, .clip = 0}, hidden_MD, head, drawn, 1)
        .value.backward();
    return weight.grad().t();
  }
};

// One span of two student tokens against one token of the teacher. Bug: a share of the span's
// advantage for each of its tokens (A/n, or in proportion to its log q) has another gradient.
TEST(SpanPolicy, TheWholeSpansAdvantageHasTheExactGradient) {
  constexpr int64_t V = 4;
  auto generator = at::make_generator<at::CPUGeneratorImpl>(3);
  Drawn all{.table_SV = at::randn({1 + V, V}, generator, at::TensorOptions().dtype(at::kDouble))};
  const Tensor teacher_VV =
      at::log_softmax(at::randn({V * V}, generator, at::TensorOptions().dtype(at::kDouble)), 0)
          .view({V, V});
  const Tensor table = all.table_SV.clone().requires_grad_();
  const Tensor logp_SV = at::log_softmax(table, 1);
  const Tensor log_q_VV = logp_SV[0].unsqueeze(1) + logp_SV.narrow(0, 1, V);
  (log_q_VV.exp() * (log_q_VV - teacher_VV)).sum().backward();
  for (int64_t a = 0; a < V; ++a) {
    for (int64_t b = 0; b < V; ++b) {
      const auto k = static_cast<int64_t>(all.sequence_K.size());
      all.state_M.insert(all.state_M.end(), {0, 1 + a});
      all.token_M.insert(all.token_M.end(), {a, b});
      all.span_M.insert(all.span_M.end(), {k, k});
      all.sequence_K.push_back(k);
      all.logp_K.push_back(teacher_VV[a][b].item<double>());
      all.weight_M.insert(all.weight_M.end(), 2, log_q_VV[a][b].exp().item<double>());
    }
  }
  EXPECT_LT(distance(all.gradient(0), table.grad()), 1e-7);
}

// The student merges "ab"; the teacher writes bytes, each with one probability. Both write the same
// texts, but after a lone "a" the student knows that no "b" comes. Looking ahead sees that the next
// span pays back what the lone "a" seemed to cost.
struct TextEqual : Drawn {
  static constexpr double pa = 0.4, pb = 0.35, pe = 0.25;
  enum Token { a, b, ab, end };

  TextEqual() {
    const double rest = 1 - pb;
    const auto logs = [](std::vector<double> p) { return at::tensor(p, at::kDouble).log(); };
    table_SV = at::stack(
        {logs({pa * rest, pb, pa * pb, pe}), logs({pa, 1e-30, pa * pb / rest, pe / rest})});
    extend({}, 0, 1);
  }
  static double teacher_logp(int64_t token) {
    return token == a    ? std::log(pa)
           : token == b  ? std::log(pb)
           : token == ab ? std::log(pa * pb)
                         : std::log(pe);
  }
  void extend(std::vector<int64_t> tokens, int64_t state, double probability) {
    constexpr size_t longest = 7;
    if (tokens.size() == longest || (!tokens.empty() && tokens.back() == end)) {
      keep(tokens, probability);
      return;
    }
    for (const int64_t token : {a, b, ab, end}) {
      if (state == 1 && token == b) continue;
      std::vector<int64_t> more = tokens;
      more.push_back(token);
      const double p = at::log_softmax(table_SV[state], 0)[token].exp().item<double>();
      extend(std::move(more), token == a ? 1 : 0, probability * p);
    }
  }
  void keep(const std::vector<int64_t>& tokens, double probability) {
    const int64_t sequence = sequences++;
    int64_t state = 0;
    for (const int64_t token : tokens) {
      state_M.push_back(state);
      token_M.push_back(token);
      span_M.push_back(static_cast<int64_t>(sequence_K.size()));
      sequence_K.push_back(sequence);
      logp_K.push_back(teacher_logp(token));
      weight_M.push_back(probability);
      state = token == a ? 1 : 0;
    }
  }
  int64_t sequences = 0;
};

TEST(SpanPolicy, LookingAheadTakesAwayTheTokenizersLeak) {
  const TextEqual pair;
  std::vector<double> norms;
  for (const int64_t lookahead : {0, 1, 2}) {
    norms.push_back(pair.gradient(lookahead).norm().item<double>());
  }
  EXPECT_GT(norms[0], 0.1);
  EXPECT_LT(norms[1], 0.5 * norms[0]);
  EXPECT_LE(norms[2], norms[1] + 1e-9);
}

// The mean of the spans behind a token's own, for each of its tokens; none behind the last, over a
// sequence's end, and for masked ones.
TEST(SpanPolicy, ReturnsAreMeansOfLaterSpans) {
  DrawnTokens drawn{.token_M = ids({0, 1, 2, 0, 1, 2})};
  drawn.sampler_logp_M = at::tensor({-1.0, -2.0, -0.5, -1.0, -3.0, -1.0}, at::kDouble);
  const SpanGrades grades{.map = {.span_M = ids({0, 0, 1, -1, 2, 3}),
                                  .span_L = {},
                                  .sequence_K = ids({0, 0, 0, 2}),
                                  .end_M = at::zeros({6}, at::kBool)},
                          .logp_K = at::tensor({-9.0, -1.5, -1.0, -7.0}, at::kDouble),
                          .share = 0.5};
  Head head;
  head.weight_VD = at::zeros({3, 2}, at::kDouble);
  const Tensor found_M = span_returns_M(grades, at::zeros({6, 2}, at::kDouble), head, 1, drawn);
  // log p − log q of the spans: −6, −1, 2, −6.
  EXPECT_LT(distance(found_M, at::tensor({0.25, 0.25, 1.0, 0.0, 0.0, 0.0}, at::kDouble)), 1e-12);
}

// A token in no span is not pushed, and two teachers add up.
TEST(SpanPolicy, MaskedTokensHaveNoGradient) {
  Drawn drawn{.table_SV = at::zeros({2, 3}, at::kDouble)};
  drawn.state_M = {0, 1};
  drawn.token_M = {1, 2};
  drawn.span_M = {0, -1};
  drawn.sequence_K = {0};
  drawn.logp_K = {-0.5};
  drawn.weight_M = {1, 1};
  drawn.grown = 0.2;
  const Tensor gradient = drawn.gradient(1);
  EXPECT_GT(gradient[0].abs().max().item<double>(), 0.1);
  EXPECT_EQ(gradient[1].abs().max().item<double>(), 0);
  EXPECT_LT(distance(drawn.gradient(1, 0.25), 0.25 * gradient), 1e-12);
}

// Equal tokenizers: the objective over drawn tokens as it always was, value and gradient.
TEST(SpanPolicy, OfEqualTokenizersIsTheSampledReverseKl) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(5);
  const auto random = [&](at::IntArrayRef shape) {
    return at::randn(shape, generator, at::TensorOptions().dtype(at::kDouble));
  };
  const Tensor hidden_MD = random({6, 4}), teacher_M = -random({6}).abs();
  const Tensor token_M = ids({3, 1, 4, 1, 5, 2});
  const auto run = [&](bool spans) {
    const Tensor weight = at::arange(36, at::kDouble).view({9, 4}).sin().requires_grad_();
    Head head;
    head.weight_VD = weight;
    DrawnTokens drawn{.token_M = token_M, .sampler_logp_M = at::full({6}, -2.0, at::kDouble)};
    drawn.teacher_logp_M = teacher_M;
    if (spans) {
      drawn.teacher_logp_M = Tensor();
      const SpanGrades grades{.map = {.span_M = at::arange(6),
                                      .span_L = {},
                                      .sequence_K = ids({0, 0, 0, 1, 1, 1}),
                                      .end_M = at::zeros({6}, at::kBool)},
                              .logp_K = teacher_M};
      add_spans(grades, hidden_MD, head, 1, drawn);
    }
    const Loss loss =
        policy_loss({.terms = {{PolicyKind::sampled_reverse_kl}}}, hidden_MD, head, drawn, 6);
    loss.value.backward();
    return std::pair(loss.value.item<double>(), weight.grad());
  };
  const auto [value, gradient] = run(true);
  const auto [expected, exact] = run(false);
  EXPECT_NEAR(value, expected, 1e-12);
  EXPECT_LT(distance(gradient, exact), 1e-12);
}

}  // namespace
}  // namespace alambic::spans_test
