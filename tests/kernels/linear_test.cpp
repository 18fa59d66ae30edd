#include "alambic/kernels/linear.h"

#include "tests/kernels/numbers.h"

namespace alambic::kernels::linear_test {
namespace {

using namespace alambic::test;

const Tensor no_bias;

struct Case {
  int64_t rows, in, out;
};

const std::vector<Case> cases = {
    {1, 1, 1},    {1, 7, 3},     {2, 16, 4},     {3, 17, 5},    {4, 64, 65},   {5, 288, 288},
    {7, 100, 33}, {8, 63, 130},  {9, 288, 48},   {16, 33, 257}, {17, 40, 50},  {33, 64, 64},
    {1, 300, 1},  {70, 130, 67}, {260, 70, 100}, {4, 130, 31},  {16, 512, 200}};

Tensor expected(const Tensor& x, const Tensor& weight_ED, const Tensor& bias) {
  return at::addmm(bias, x, weight_ED.t());
}

TEST(Linear, EqualsTheMatrixProductInBothLayouts) {
  const at::NoGradGuard guard;
  for (const Case& c : cases) {
    const Tensor x = draw({c.rows, c.in}, 1), weight = draw({c.out, c.in}, 2),
                 bias = draw({c.out}, 3);
    const Tensor want = expected(x, weight, bias);
    const Tensor x32 = x.to(at::kFloat), w32 = weight.to(at::kFloat), b32 = bias.to(at::kFloat);
    EXPECT_LT(error(linear(x32, w32, b32), want), 2e-6) << c.rows << " " << c.in << " " << c.out;
    EXPECT_LT(error(linear_input_major(x32, w32.t().contiguous(), b32), want), 2e-6)
        << c.rows << " " << c.in << " " << c.out;
    EXPECT_LT(error(linear(x32, w32, no_bias), want - bias), 2e-6);
    EXPECT_LT(error(linear_input_major(x32, w32.t().contiguous(), no_bias), want - bias), 2e-6);
    EXPECT_LT(error(linear(x, weight, bias), want), 1e-12);
  }
}

TEST(Linear, ARowHasTheSameBitsAloneAndInABatch) {
  const at::NoGradGuard guard;
  for (int64_t D : {33, 288, 1000}) {
    const Tensor x = draw({16, D}, 4).to(at::kFloat), weight = draw({97, D}, 5).to(at::kFloat);
    const Tensor turned = weight.t().contiguous();
    const Tensor batch = linear(x, weight, no_bias),
                 batch_turned = linear_input_major(x, turned, no_bias);
    for (int64_t rows = 1; rows < 16; ++rows) {
      const Tensor some = x.narrow(0, 16 - rows, rows);
      EXPECT_TRUE(at::equal(linear(some, weight, no_bias), batch.narrow(0, 16 - rows, rows)));
      EXPECT_TRUE(at::equal(linear_input_major(some, turned, no_bias),
                            batch_turned.narrow(0, 16 - rows, rows)));
    }
  }
}

TEST(Linear, ThreadsDoNotMoveTheBits) {
  const at::NoGradGuard guard;
  const int threads = at::get_num_threads();
  const Tensor x = draw({4, 256}, 6).to(at::kFloat), weight = draw({5003, 256}, 7).to(at::kFloat);
  const Tensor turned = weight.t().contiguous();
  at::set_num_threads(1);
  const Tensor one = linear(x, weight, no_bias),
               one_turned = linear_input_major(x, turned, no_bias);
  at::set_num_threads(2);
  EXPECT_TRUE(at::equal(linear(x, weight, no_bias), one));
  EXPECT_TRUE(at::equal(linear_input_major(x, turned, no_bias), one_turned));
  at::set_num_threads(threads);
}

TEST(Linear, GradientsOfManyRowsEqualFloat64) {
  const Tensor probe = draw({300, 70}, 4);
  for (bool output_major : {true, false}) {
    const Kernel kernel = [&](const Inputs& i) {
      return output_major ? linear(i[0], i[1], i[2]) : linear_input_major(i[0], i[1], i[2]);
    };
    const Tensor weight = draw({70, 131}, 2);
    const Inputs in = {draw({300, 131}, 1), output_major ? weight : weight.t(), draw({70}, 3)};
    const Inputs exact = gradients(kernel, in, at::kDouble, probe);
    const Inputs fused = gradients(kernel, in, at::kFloat, probe);
    for (size_t i = 0; i < 3; ++i) EXPECT_LT(error(fused[i], exact[i]), 2e-6) << i;
  }
}

TEST(Product, ReadsBothFactorsInEitherOrder) {
  // From 32 or 48 rows on c is dealt out in tiles of 12 or 6 rows and fewer.
  for (int64_t M : {3, 32, 33, 34, 35, 37, 48, 49, 50, 53, 55, 57, 60, 290}) {
    const Tensor a = draw({M, 150}, 1).to(at::kFloat), b = draw({150, 77}, 2).to(at::kFloat);
    const Tensor want = at::mm(a.to(at::kDouble), b.to(at::kDouble));
    const Tensor a_turned = a.t().contiguous().t(), b_turned = b.t().contiguous().t();
    for (const Tensor& left : {a, a_turned}) {
      for (const Tensor& right : {b, b_turned}) {
        EXPECT_LT(error(product(left, right), want), 2e-6) << M;
        const Tensor sum = at::ones({M, 77});
        add_product(sum, left, right);
        EXPECT_LT(error(sum, want + 1), 2e-6) << M;
      }
    }
  }
}

// Blocks of b are 256 deep and 512 wide.
TEST(Product, JoinsBlocks) {
  for (int64_t K : {256, 257, 600}) {
    const Tensor a = draw({70, K}, 1).to(at::kFloat), b = draw({K, 1043}, 2).to(at::kFloat);
    const Tensor want = at::mm(a.to(at::kDouble), b.to(at::kDouble));
    for (const Tensor& right : {b, b.t().contiguous().t()}) {
      EXPECT_LT(error(product(a, right), want), 2e-6) << K;
      const Tensor sum = at::ones({70, 1043});
      add_product(sum, a, right);
      EXPECT_LT(error(sum, want + 1), 2e-6) << K;
    }
  }
}

TEST(Product, OfNothingIsZero) {
  EXPECT_TRUE(at::equal(product(at::zeros({40, 0}), at::zeros({0, 5})), at::zeros({40, 5})));
  EXPECT_TRUE(at::equal(product(at::zeros({2, 0}), at::zeros({0, 5})), at::zeros({2, 5})));
}

TEST(Linear, GradientsEqualFiniteDifferences) {
  const Inputs in = {draw({3, 9}, 1), draw({5, 9}, 2), draw({5}, 3)};
  expect_right_gradients([](const Inputs& i) { return linear(i[0], i[1], i[2]); }, in);
  expect_right_gradients([](const Inputs& i) { return linear_input_major(i[0], i[1], i[2]); },
                         {in[0], draw({9, 5}, 2), in[2]});
}

TEST(Linear, TakesViews) {
  const at::NoGradGuard guard;
  const Tensor x = draw({6, 64}, 8).to(at::kFloat).narrow(1, 8, 32);
  const Tensor weight = draw({40, 64}, 9).to(at::kFloat).narrow(1, 16, 32);
  EXPECT_LT(error(linear(x, weight, no_bias), at::linear(x, weight)), 2e-6);
  const Tensor last = draw({5, 6, 32}, 10).to(at::kFloat).select(1, 5);
  EXPECT_LT(error(linear(last, weight, no_bias), at::linear(last, weight)), 2e-6);
  const Tensor turned = weight.t();  // not dense along its outputs
  EXPECT_LT(error(linear_input_major(x, turned, no_bias), at::mm(x, turned)), 2e-6);
}

TEST(Linear, NoRowsGiveNoRows) {
  const at::NoGradGuard guard;
  EXPECT_EQ(linear(at::empty({0, 8}), at::zeros({4, 8}), no_bias).sizes(), (at::IntArrayRef{0, 4}));
}

TEST(Linear, RefusesAWeightOfAnotherWidth) {
  const at::NoGradGuard guard;
  EXPECT_THROW(linear(at::zeros({1, 8}), at::zeros({4, 9}), no_bias), std::exception);
  EXPECT_THROW(linear_input_major(at::zeros({1, 8}), at::zeros({9, 4}), no_bias), std::exception);
}

}  // namespace
}  // namespace alambic::kernels::linear_test
