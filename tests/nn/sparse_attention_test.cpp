#include "alambic/nn/sparse_attention.h"

#include <gtest/gtest.h>

#include <cmath>

#include "alambic/nn/index_scores.h"
#include "alambic/nn/masked_attention.h"

namespace alambic::sparse_attention_test {
namespace {

struct Case {
  Tensor q_THd, entry_Md, sinks_H;
  ChosenEntries chosen;
  Tensor seen_TM;  // the same choice as a mask
};

// Queries of the last T of M positions, each with its `count` best earlier ones.
Case make_case(int64_t T, int64_t M, int64_t count, int64_t H, int64_t d, at::ScalarType type) {
  at::manual_seed(3);
  const auto options = at::dtype(type);
  Case made{.q_THd = at::randn({T, H, d}, options),
            .entry_Md = at::randn({M, d}, options),
            .sinks_H = at::randn({H}, options)};
  const Tensor visible_TM = visible_entries(M - T, T, M, 1, at::kCPU);
  made.chosen = best_entries(at::randn({T, M}), visible_TM, count);
  made.seen_TM = at::zeros({T, M}, at::kBool).scatter(1, made.chosen.index_TC, made.chosen.seen_TC);
  return made;
}

// The definition: all pairs, and a mask over those that were not chosen.
Tensor dense(const Case& c, const kernels::AttentionOptions& options) {
  return masked_attention(c.q_THd, c.entry_Md, c.seen_TM, options);
}

TEST(SparseAttention, EqualsTheMaskedFormWithItsGradients) {
  for (const bool sinks : {false, true}) {
    Case c = make_case(7, 12, 4, 3, 5, at::kDouble);
    kernels::AttentionOptions options{.scale = 0.4};
    if (sinks) options.sinks_H = c.sinks_H;
    std::vector<Tensor> inputs = {c.q_THd, c.entry_Md};
    if (sinks) inputs.push_back(c.sinks_H);
    for (Tensor& input : inputs) input.requires_grad_();
    const Tensor pull = at::randn(c.q_THd.sizes(), at::kDouble);
    std::vector<std::vector<Tensor>> gradients;
    std::vector<Tensor> outputs;
    for (const bool sparse : {false, true}) {
      outputs.push_back(sparse ? sparse_attention(c.q_THd, c.entry_Md, c.chosen, options)
                               : dense(c, options));
      (outputs.back() * pull).sum().backward();
      std::vector<Tensor>& own = gradients.emplace_back();
      for (Tensor& input : inputs) {
        own.push_back(input.grad().clone());
        input.mutable_grad() = Tensor();
      }
    }
    EXPECT_TRUE(at::allclose(outputs[0], outputs[1], 1e-12, 1e-12));
    for (size_t i = 0; i < inputs.size(); ++i) {
      EXPECT_TRUE(at::allclose(gradients[0][i], gradients[1][i], 1e-11, 1e-11)) << i << sinks;
    }
  }
}

// Prevents a seam between blocks of queries: 1,100 of them gather more than fits one block.
TEST(SparseAttention, GoesOverQueriesInBlocks) {
  const Case c = make_case(1100, 1200, 64, 2, 64, at::kFloat);
  const kernels::AttentionOptions options{.scale = 0.1, .sinks_H = c.sinks_H};
  EXPECT_TRUE(at::allclose(sparse_attention(c.q_THd, c.entry_Md, c.chosen, options),
                           dense(c, options), 1e-4, 1e-5));
}

// Prevents work on entries that nobody chose: a mask would multiply them by zero, and zero times
// not-a-number shows it.
TEST(SparseAttention, ReadsTheChosenEntriesAlone) {
  Case c = make_case(1, 12, 4, 3, 5, at::kFloat);
  const Tensor before = sparse_attention(c.q_THd, c.entry_Md, c.chosen, {.scale = 0.4});
  c.entry_Md.index_put_({~c.seen_TM[0]}, at::scalar_tensor(std::nan("")));
  EXPECT_TRUE(before.equal(sparse_attention(c.q_THd, c.entry_Md, c.chosen, {.scale = 0.4})));
  EXPECT_TRUE(dense(c, {.scale = 0.4}).isnan().any().item<bool>());
}

}  // namespace
}  // namespace alambic::sparse_attention_test
