#include "alambic/kernels/weight_linear.h"

#include <gtest/gtest.h>

#include "alambic/base/error.h"
#include "alambic/kernels/linear.h"
#include "tests/packed_as_it_is.h"

namespace alambic::weight_linear_test {
namespace {

struct Forms {
  Tensor tensor_ED = at::randn({70, 33});
  Weight dense = tensor_ED, packed = packed_as_it_is(tensor_ED);
};

TEST(Weight, SaysTheSameOfBothForms) {
  const Forms w;
  for (const Weight& weight : {w.dense, w.packed}) {
    EXPECT_TRUE(weight.defined());
    EXPECT_EQ(weight.dim(), 2);
    EXPECT_EQ(weight.size(0), 70);
    EXPECT_EQ(weight.size(1), 33);
    EXPECT_EQ(weight.numel(), 70 * 33);
    EXPECT_EQ(weight.sizes(), (std::vector<int64_t>{70, 33}));
    EXPECT_EQ(weight.scalar_type(), at::kFloat);
    EXPECT_EQ(weight.options().dtype(), at::kFloat);
    EXPECT_TRUE(weight.device().is_cpu());
    EXPECT_FALSE(weight.is_meta());
    EXPECT_FALSE(weight.requires_grad());
  }
  EXPECT_FALSE(Weight().defined());
}

TEST(Weight, GivesTheSameNumbersInBothForms) {
  const Forms w;
  const Tensor ids_N = at::tensor({69, 0, 0, 5}, at::kLong);
  EXPECT_TRUE(at::equal(w.packed.rows(ids_N), w.dense.rows(ids_N)));
  EXPECT_TRUE(at::equal(w.packed.decoded(), w.tensor_ED));
  EXPECT_TRUE(at::equal(w.packed.piece(0, 40).decoded(), w.dense.piece(0, 40).decoded()));
  EXPECT_EQ(w.packed.piece(0, 40).size(0), 40);
}

// Bug: bfloat16 at batch 1 was no faster than float32, and its sums depended on the batch.
TEST(Weight, MultipliesBfloat16InFloat32) {
  const Weight weight = at::randn({70, 33}).to(at::kBFloat16);
  const Tensor x_ND = at::randn({16, 33}).to(at::kBFloat16),
               bias_E = at::randn({70}).to(at::kBFloat16);
  const Tensor y_NE = kernels::linear(x_ND, weight, bias_E);
  EXPECT_EQ(y_NE.scalar_type(), at::kBFloat16);
  const Tensor exact =
      at::linear(x_ND.to(at::kDouble), weight.dense().to(at::kDouble), bias_E.to(at::kDouble));
  EXPECT_LT((y_NE.to(at::kDouble) - exact).abs().max().item<double>(),
            0.004 * exact.abs().max().item<double>());
  for (int64_t rows = 1; rows < 16; ++rows) {
    EXPECT_TRUE(at::equal(kernels::linear(x_ND.narrow(0, 0, rows), weight, bias_E),
                          y_NE.narrow(0, 0, rows)));
  }
  // As a constant beside float32 it stays as it is.
  EXPECT_TRUE(weight.constant(at::kFloat).is_packed());
  EXPECT_TRUE(at::equal(weight.constant(at::kFloat).decoded(), weight.dense().to(at::kFloat)));
}

// A tied head is the embedding, whatever form both have.
TEST(Weight, KnowsItsOwnNumbers) {
  const Forms w;
  const Weight copy = w.packed, other = packed_as_it_is(w.tensor_ED);
  EXPECT_TRUE(copy.is_same(w.packed));
  EXPECT_TRUE(w.dense.is_same(w.tensor_ED));
  EXPECT_FALSE(other.is_same(w.packed));
  EXPECT_FALSE(w.dense.is_same(w.packed));
}

// Prevents: numbers that look like a weight where a packed one was forgotten.
TEST(Weight, RefusesTheTensorOfAPackedOneInWords) {
  Forms w;
  EXPECT_TRUE(w.dense.dense().is_same(w.tensor_ED));
  try {
    w.packed.dense("lm_head.weight").zero_();
    FAIL() << "a packed weight has a tensor";
  } catch (const Error& error) {
    EXPECT_EQ(
        std::string(error.what()),
        "lm_head.weight is packed (F32, [70, 33]): it has no tensor to train, change or save");
    EXPECT_NE(error.hint().find("frozen"), std::string::npos);
  }
  EXPECT_THROW(std::as_const(w.packed).dense(), Error);
  EXPECT_THROW(w.dense.packed(), Error);
}

// The dtype of a packed weight is that to which its rows are rounded, whatever the product's is.
TEST(Weight, IsAConstantInTheProductsDtype) {
  Forms w;
  w.tensor_ED.requires_grad_();
  const Weight dense = w.dense.constant(at::kDouble);
  EXPECT_EQ(dense.scalar_type(), at::kDouble);
  EXPECT_FALSE(dense.requires_grad());
  EXPECT_TRUE(w.packed.constant(at::kDouble).is_same(w.packed));
}

TEST(WeightLinear, IsBitEqualInBothForms) {
  const Forms w;
  const Tensor x_ND = at::randn({9, 33}), bias_E = at::randn({70});
  for (const Tensor& bias : {Tensor(), bias_E}) {
    const Tensor expected = kernels::linear(x_ND, w.tensor_ED, bias);
    for (const Weight& weight : {w.dense, w.packed}) {
      EXPECT_TRUE(at::equal(kernels::linear(x_ND, weight, bias), expected));
      const Tensor y_NE = at::full({9, 80}, -1.0).narrow(1, 0, 70);  // rows with room behind
      kernels::write_linear(y_NE, x_ND, weight, bias);
      EXPECT_TRUE(at::equal(y_NE, expected));
    }
  }
}

TEST(WeightLinear, HasTheSameGradientsInBothForms) {
  Forms w;
  w.tensor_ED.requires_grad_();
  const Tensor x_ND = at::randn({40, 33}), probe_NE = at::randn({40, 70});
  const auto input_grad = [&](const Weight& weight) {
    const Tensor x = x_ND.clone().requires_grad_();
    (kernels::linear(x, weight, Tensor()) * probe_NE).sum().backward();
    return x.grad();
  };
  EXPECT_TRUE(at::equal(input_grad(w.packed), input_grad(w.dense)));
  EXPECT_TRUE(w.tensor_ED.grad().defined());
}

}  // namespace
}  // namespace alambic::weight_linear_test
