#include "alambic/objective/returns.h"

#include <gtest/gtest.h>

#include "alambic/base/error.h"
#include "alambic/objective/policy_ref.h"

namespace alambic::returns_test {
namespace {

// Bug: a token's own reward in its return, counted a second time beside the exact term (TRL's
// MiniLLM), another completion's tokens, a division that is off by one.
TEST(Returns, AreOfTheTokensAfter) {
  const std::vector<int64_t> lengths = {3, 1, 5};
  std::vector<double> rewards;
  for (int i = 0; i < 9; ++i) rewards.push_back(0.5 * i * i - 7);
  for (const bool normalize : {true, false}) {
    const Tensor found = returns_M(at::tensor(rewards), lengths, normalize);
    size_t begin = 0;
    for (const int64_t length : lengths) {
      const std::vector<double> completion(rewards.begin() + static_cast<int64_t>(begin),
                                           rewards.begin() + static_cast<int64_t>(begin) + length);
      for (size_t t = 0; t < completion.size(); ++t) {
        EXPECT_NEAR(found[static_cast<int64_t>(begin + t)].item<double>(),
                    reference::return_after(completion, t, normalize), 1e-12);
      }
      begin += completion.size();
    }
  }
  EXPECT_THROW(returns_M(at::tensor(rewards), {3, 1}), Error);
  EXPECT_THROW(returns_M(at::tensor(rewards), {3, 1, 6}), Error);
}

}  // namespace
}  // namespace alambic::returns_test
