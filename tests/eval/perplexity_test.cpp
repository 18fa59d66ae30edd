#include "alambic/eval/perplexity.h"

#include <gtest/gtest.h>

#include "alambic/base/error.h"
#include "tests/model_fixture.h"

namespace alambic::perplexity_test {
namespace {

std::vector<int32_t> text_of(size_t count) {
  std::vector<int32_t> tokens(count);
  for (size_t i = 0; i < count; ++i) {
    tokens[i] = static_cast<int32_t>(uniform_below({.seed = 3, .sample = i}, 50));
  }
  return tokens;
}

// One window at a time, one token at a time, in double precision.
double scalar_cross_entropy(const Model& model, const std::vector<int32_t>& tokens, size_t window,
                            int64_t vocabulary, int64_t& predicted) {
  double sum = 0;
  predicted = 0;
  for (size_t start = 0; start < tokens.size(); start += window) {
    for (size_t i = start + 1; i < std::min(start + window, tokens.size()); ++i) {
      const std::vector<int32_t> context(tokens.begin() + start, tokens.begin() + i);
      const Tensor hidden_D = model.hidden(Pass(pack({context})))[-1].to(at::kDouble);
      const Tensor logits_V =
          at::mv(model.head().cut(vocabulary).weight_VD.dense().to(at::kDouble), hidden_D);
      sum -= at::log_softmax(logits_V, 0)[tokens[i]].item<double>();
      ++predicted;
    }
  }
  return sum / static_cast<double>(predicted);
}

// Windows that share a state, lose their last token or count the first one.
TEST(Perplexity, IsTheExponentialOfTheMeanOverAPlainLoop) {
  const auto model = random_model(small_llama_config(64));
  for (const size_t length : {2, 15, 16, 17, 18, 32, 33}) {
    const std::vector<int32_t> tokens = text_of(length);
    int64_t predicted = 0;
    const double expected = scalar_cross_entropy(*model, tokens, 16, 50, predicted);
    const Perplexity found = perplexity(*model, TokenSpool(tokens), 16, 50);
    EXPECT_EQ(found.tokens, predicted) << length;
    EXPECT_NEAR(found.cross_entropy, expected, 1e-5) << length;
    EXPECT_NEAR(found.perplexity, std::exp(expected), 1e-4 * std::exp(expected));
  }
}

// 4096 positions go in a pass; a long text needs several.
TEST(Perplexity, IsTheSameOverSeveralPasses) {
  const auto model = random_model(small_llama_config());
  const std::vector<int32_t> tokens = text_of(9000);
  double sum = 0;
  int64_t predicted = 0;
  for (size_t start = 0; start + 1 < tokens.size(); start += 64) {
    const Perplexity part = perplexity(
        *model,
        TokenSpool({tokens.begin() + start, tokens.begin() + std::min<size_t>(start + 64, 9000)}),
        64, 50);
    sum += part.cross_entropy * static_cast<double>(part.tokens);
    predicted += part.tokens;
  }
  const Perplexity whole = perplexity(*model, TokenSpool(tokens), 64, 50);
  EXPECT_EQ(whole.tokens, predicted);
  EXPECT_NEAR(whole.cross_entropy, sum / static_cast<double>(predicted), 1e-5);
}

// A window of one token predicts nothing: 0/0.
TEST(Perplexity, RefusesWhatPredictsNothing) {
  const auto model = random_model(small_llama_config());
  EXPECT_THROW(perplexity(*model, TokenSpool(std::vector<int32_t>{1}), 16, 50), Error);
  EXPECT_THROW(perplexity(*model, TokenSpool(), 16, 50), Error);
  EXPECT_THROW(perplexity(*model, TokenSpool(std::vector<int32_t>{1, 2, 3}), 1, 50), Error);
}

}  // namespace
}  // namespace alambic::perplexity_test
