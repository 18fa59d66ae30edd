// The chunked form and the step against the definition position by position.
#include "alambic/kernels/delta_rule.h"

#include "alambic/kernels/delta_rule_ref.h"
#include "tests/kernels/numbers.h"

namespace alambic::kernels::delta_rule_test {
namespace {

using namespace alambic::test;

struct Problem {
  std::vector<int64_t> offsets = {0};
  Inputs in;  // q, k, v, decay, rate in float64

  Problem(const std::vector<int64_t>& lengths, double decay) {
    for (const int64_t length : lengths) offsets.push_back(offsets.back() + length);
    const int64_t N = offsets.back();
    const auto unit = [](const Tensor& x) { return x / x.norm(2, -1, true); };
    in = {unit(draw({N, 2, 5}, 1)), unit(draw({N, 2, 5}, 2)), draw({N, 4, 3}, 3),
          -decay * draw({N, 4}, 4).abs(), draw({N, 4}, 5).sigmoid()};
  }

  ref::DeltaResult expected() const {
    return ref::packed_delta_rule(values(in[0]), values(in[1]), values(in[2]), values(in[3]),
                                  values(in[4]), offsets, {2, 4, 5, 3});
  }
  Tensor expected_out() const { return tensor(expected().out, in[2].sizes()); }
  Tensor expected_state() const {
    return tensor(expected().state, {std::ssize(offsets) - 1, 4, 5, 3});
  }
};

DeltaInputs named(const Inputs& in) { return {in[0], in[1], in[2], in[3], in[4]}; }

void expect_equal(const Problem& problem, at::ScalarType dtype, double tolerance) {
  const DeltaOutputs found =
      packed_delta_rule(named(cast(problem.in, dtype, false)), problem.offsets);
  EXPECT_LT(error(found.out_NHd, problem.expected_out()), tolerance);
  EXPECT_LT(error(found.state_SHkv, problem.expected_state()), tolerance);
}

// Lengths around the chunk's; shorter sequences end among longer ones, whose order must come back.
TEST(DeltaRule, InChunksEqualsItsDefinition) {
  for (const double decay : {0.0, 0.05, 1.0}) {
    const Problem problem({3, 64, 130, 1, 65, 63, 128}, decay);
    expect_equal(problem, at::kDouble, 1e-11);
    expect_equal(problem, at::kFloat, 1e-5);
  }
}

// The quotient of two cumulative decays would be 0 / 0 here.
TEST(DeltaRule, ForgetsAllWithoutOverflow) { expect_equal({{70, 5}, 300.0}, at::kFloat, 1e-5); }

// The inverse of the system by products of its powers would lose all digits: they grow as binomial
// coefficients.
TEST(DeltaRule, TakesTheSameKeyAtEveryPosition) {
  Problem problem({128}, 0.0);
  problem.in[1] = problem.in[1].narrow(0, 0, 1).expand_as(problem.in[1]).contiguous();
  problem.in[4] = at::full_like(problem.in[4], 0.999);
  expect_equal(problem, at::kFloat, 1e-5);
}

TEST(DeltaRule, StepByStepEqualsItsDefinition) {
  const Problem problem({9, 9}, 0.3);
  for (const auto& [dtype, tolerance] : {std::pair(at::kDouble, 1e-12), {at::kFloat, 2e-6}}) {
    const Inputs in = cast(problem.in, dtype, false);
    Tensor state = at::zeros({2, 4, 5, 3}, dtype);
    std::vector<Tensor> rows;
    for (int64_t t = 0; t < 9; ++t) {
      Inputs now;
      for (const Tensor& x : in) now.push_back(at::stack({x[t], x[9 + t]}));
      const DeltaOutputs step = delta_rule_step(named(now), state);
      rows.push_back(step.out_NHd);
      state = step.state_SHkv;
    }
    EXPECT_LT(error(at::stack(rows, 1).flatten(0, 1), problem.expected_out()), tolerance);
    EXPECT_LT(error(state, problem.expected_state()), tolerance);
  }
}

// Across a chunk's end, and into a sequence that ends before.
TEST(DeltaRule, GradientsEqualFiniteDifferences) {
  const Problem problem({2, 66}, 0.1);
  const Tensor probe = draw(problem.in[2].sizes(), 6), state_probe = draw({2, 4, 5, 3}, 7);
  const auto value = [&](const Inputs& in) {
    const DeltaOutputs found = packed_delta_rule(named(in), problem.offsets);
    return (found.out_NHd * probe).sum() + (found.state_SHkv * state_probe).sum();
  };
  const Inputs leaves = cast(problem.in, at::kDouble, true);
  value(leaves).backward();
  const at::NoGradGuard no_grad;
  for (size_t i = 0; i < leaves.size(); ++i) {
    const Tensor direction = draw(leaves[i].sizes(), 8 + i);
    const double h = 1e-6;
    Inputs above = problem.in, below = problem.in;
    above[i] = problem.in[i] + h * direction;
    below[i] = problem.in[i] - h * direction;
    const double expected = (value(above) - value(below)).item<double>() / (2 * h);
    const double found = (leaves[i].grad() * direction).sum().item<double>();
    EXPECT_NEAR(found, expected, 1e-6 * std::abs(expected) + 1e-7) << "input " << i;
  }
}

TEST(DeltaRule, KeepsItsStateWideWhereValuesAreNarrow) {
  const Problem problem({5}, 0.1);
  const DeltaOutputs found =
      packed_delta_rule(named(cast(problem.in, at::kBFloat16, false)), problem.offsets);
  EXPECT_EQ(found.out_NHd.scalar_type(), at::kBFloat16);
  EXPECT_EQ(found.state_SHkv.scalar_type(), at::kFloat);
}

}  // namespace
}  // namespace alambic::kernels::delta_rule_test
