#include "alambic/nn/shared_prefixes.h"

#include <gtest/gtest.h>

#include "alambic/nn/pass.h"
#include "tests/golden.h"

namespace alambic::shared_prefixes_test {
namespace {

using Sequences = std::vector<std::vector<int32_t>>;

std::vector<int32_t> counted(int32_t begin, int32_t end, const std::vector<int32_t>& then = {}) {
  std::vector<int32_t> tokens;
  for (int32_t i = begin; i < end; ++i) tokens.push_back(i);
  tokens.insert(tokens.end(), then.begin(), then.end());
  return tokens;
}

// Two prompts that begin alike, of three completions and one, a sequence that another one goes on,
// and one that stands twice.
Sequences tree() {
  return {counted(0, 20, {50, 51}), counted(0, 20, {60}),         counted(0, 20, {50, 52, 53}),
          counted(0, 12, {70, 71}), counted(0, 12, {70, 71, 72}), counted(0, 12, {70, 71, 72}),
          counted(30, 39)};
}

// The beginning of a sequence up to a position, which says all of it.
using Beginning = std::vector<int64_t>;

std::vector<Beginning> beginnings(const Packed& input) {
  std::vector<Beginning> all;
  for (int64_t s = 0; s < input.sequences(); ++s) {
    Beginning so_far;
    for (int64_t i = 0; i < input.length(s); ++i) {
      so_far.push_back(input.tokens_N[input.offsets[s] + i].item<int64_t>());
      all.push_back(so_far);
    }
  }
  return all;
}

TEST(SharedPrefixes, GiveOneRowToEveryBeginningOfNeighbors) {
  const Packed input = pack(tree());
  const auto shared = shared_prefixes(input);
  ASSERT_TRUE(shared);
  const std::vector<Beginning> beginning = beginnings(input);
  std::map<int64_t, Beginning> of_row;
  std::map<int64_t, int64_t> copies;
  for (int64_t n = 0; n < input.positions(); ++n) {
    const auto row = shared->row_N[n].item<int64_t>();
    const auto [found, fresh] = of_row.try_emplace(row, beginning[n]);
    EXPECT_EQ(found->second, beginning[n]) << n;
    EXPECT_EQ(fresh, shared->first_R[row].item<int64_t>() == n) << n;
    ++copies[row];
  }
  EXPECT_EQ(std::ssize(of_row), shared->rows());
  for (const auto& [row, count] : copies) EXPECT_EQ(shared->copies_R[row].item<int64_t>(), count);
  EXPECT_EQ(shared->row_offsets, (std::vector<int64_t>{0, 22, 23, 26, 28, 29, 29, 38}));
}

// Bug: gradients of a prompt that count one completion, or one of them twice.
TEST(SharedPrefixes, ToPositionsAndToRowsHaveEachOthersGradients) {
  const Packed input = pack(tree());
  const auto shared = shared_prefixes(input);
  at::manual_seed(3);
  const Tensor x_RD = at::randn({shared->rows(), 2, 3}, at::kDouble).requires_grad_();
  const Tensor y_ND = at::randn({input.positions(), 2, 3}, at::kDouble).requires_grad_();
  const Tensor wide = to_positions(x_RD, shared), narrow = to_rows(y_ND, shared);
  EXPECT_TRUE(at::equal(wide, x_RD.index_select(0, shared->row_N)));
  EXPECT_TRUE(at::equal(narrow, y_ND.index_select(0, shared->first_R)));
  EXPECT_TRUE(at::equal(to_rows(wide, shared), x_RD));
  (wide * y_ND.detach()).sum().backward();
  (narrow * x_RD.detach()).sum().backward();
  const Tensor sums = at::zeros_like(x_RD.detach()).index_add(0, shared->row_N, y_ND.detach());
  EXPECT_LT(distance(x_RD.grad(), sums), 1e-12);
  const Tensor placed = at::zeros_like(y_ND.detach()).index_copy(0, shared->first_R, x_RD.detach());
  EXPECT_TRUE(at::equal(y_ND.grad(), placed));
}

TEST(SharedPrefixes, AreNoneWhereLittleIsShared) {
  EXPECT_FALSE(shared_prefixes(pack({counted(0, 30)})));
  EXPECT_FALSE(shared_prefixes(pack({counted(0, 30), counted(1, 31)})));
  EXPECT_FALSE(shared_prefixes(pack({counted(0, 7, {50}), counted(0, 7, {51})})));  // few tokens
  EXPECT_FALSE(shared_prefixes(pack({counted(0, 200, {300}), counted(0, 9, {301})})));     // a few
  EXPECT_FALSE(shared_prefixes(pack({counted(0, 20), counted(30, 50), counted(0, 20)})));  // apart
  const SharePrefixes no(false);
  EXPECT_FALSE(shared_prefixes(pack(tree())));
}

TEST(SharedPrefixes, OfAPassLeaveItsInputAndNumberTheRows) {
  const Packed input = pack({counted(0, 10, {50}), counted(0, 10, {60, 61})});
  const Pass pass(input), rows = pass.with_shared_prefixes();
  EXPECT_TRUE(at::equal(rows.tokens_N, at::tensor({0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 50, 60, 61})));
  EXPECT_TRUE(at::equal(rows.positions_N, at::tensor({0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 10, 11})));
  EXPECT_EQ(rows.offsets->queries(), (std::vector<int64_t>{0, 11, 13}));
  EXPECT_EQ(rows.input.positions(), 23);
  EXPECT_FALSE(pass.shared);
  EXPECT_EQ(pass.offsets->queries(), input.offsets);
}

}  // namespace
}  // namespace alambic::shared_prefixes_test
