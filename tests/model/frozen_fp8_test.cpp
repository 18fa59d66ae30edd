// FP8 weights that stay packed where nobody writes to them: every family computes what it computes
// with the numbers multiplied out.
#include <gtest/gtest.h>

#include "alambic/model/load.h"
#include "alambic/nn/head_logits.h"
#include "alambic/tensor/packed_view.h"
#include "alambic/tensor/view.h"
#include "tests/golden_models.h"
#include "tests/model/fp8_of.h"

namespace alambic::frozen_fp8_test {
namespace {

class FrozenFp8 : public testing::TestWithParam<std::string> {};

// Bug: a teacher in FP8 was multiplied out, four times its file.
TEST_P(FrozenFp8, ComputesWhatTheDecodedModelDoes) {
  const at::NoGradGuard no_grad;
  const fs::path folder = fp8_of(GetParam());
  const auto packed = load_model(folder, {.frozen = true}), plain = load_model(folder, {});
  int64_t count = 0;
  packed->visit([&](const std::string&, const Weight& weight) { count += weight.is_packed(); });
  EXPECT_GT(count, 0);
  const Packed tokens = pack({{1, 5, 9, 3, 7, 2, 8, 4}, {6, 1}});
  const Tensor hidden = plain->hidden(Pass(tokens));
  EXPECT_FALSE(hidden.isnan().any().item<bool>());
  EXPECT_TRUE(at::equal(packed->hidden(Pass(tokens)), hidden));
  EXPECT_TRUE(at::allclose(head_logits(packed->head(), hidden), head_logits(plain->head(), hidden),
                           1e-5, 1e-5));
}

INSTANTIATE_TEST_SUITE_P(All, FrozenFp8, testing::ValuesIn(golden_models()), golden_name);

// Prevents: numbers at other places than in the rows that are read together.
TEST(FrozenFp4, RowsAreThoseOfTheDecodedMatrix) {
  std::vector<std::byte> bytes(3 * 48), exponents(3 * 3);
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i * 37 + 11);
  for (size_t i = 0; i < exponents.size(); ++i) exponents[i] = static_cast<std::byte>(120 + i);
  const TensorView view = {.name = "experts.0.w1.weight",
                           .dtype = Dtype::F4,
                           .shape = {3, 96},
                           .bytes = std::span<const std::byte>(bytes),
                           .tiles = {std::span<const std::byte>(exponents), 1, 32}};
  ASSERT_TRUE(stays_packed(view, at::kFloat));
  EXPECT_TRUE(at::equal(to_packed(view, at::kFloat, nullptr).decoded(0, 3),
                        to_tensor(view, at::kFloat, at::kCPU, {})));
}

}  // namespace
}  // namespace alambic::frozen_fp8_test
