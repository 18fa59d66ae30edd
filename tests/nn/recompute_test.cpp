// Activation checkpointing: the same gradients, from layers that run twice.
#include "alambic/nn/recompute.h"

#include <gtest/gtest.h>

#include "alambic/model/adapter.h"
#include "alambic/model/load.h"
#include "tests/golden.h"
#include "tests/golden_models.h"

namespace alambic::recompute_test {
namespace {

using Gradients = std::map<std::string, Tensor>;

// Two passes, so that gradients are added to those that are there.
Gradients gradients_of(Model& model, bool recompute) {
  model.visit([](const std::string&, Tensor& tensor) { tensor.mutable_grad() = Tensor(); });
  const RecomputeLayers scope(recompute);
  for (const int64_t micro_batch : {0, 1}) {
    model.seed_dropout(3, micro_batch);
    // Pass and tokens are gone before the backward pass, as in a task.
    const Tensor hidden_ND = [&] {
      const Packed input = pack({{1, 2, 3, 4, 5}, {6, 7, 8}});
      return model.hidden(Pass(input));
    }();
    at::mm(hidden_ND, model.head().weight_VD.dense().t()).square().mean().backward();
  }
  Gradients gradients;
  model.visit([&](const std::string& name, Tensor& tensor) {
    if (tensor.grad().defined()) gradients[name] = tensor.grad();
  });
  return gradients;
}

void expect_same(Model& model) {
  const Gradients expected = gradients_of(model, false), found = gradients_of(model, true);
  ASSERT_FALSE(expected.empty());
  EXPECT_EQ(found.size(), expected.size());
  for (const auto& [name, gradient] : expected) {
    ASSERT_TRUE(found.contains(name)) << name;
    EXPECT_TRUE(at::equal(found.at(name), gradient)) << name;
  }
}

struct RecomputedFamily : testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(All, RecomputedFamily, testing::ValuesIn(golden_models()), golden_name);

// Bug: a layer's gradient twice or not at all, a rotation of another layer, another mask of dropout
// the second time, no gradient where the first layer's input wants none.
TEST_P(RecomputedFamily, HasTheSameGradientsBitForBit) {
  const auto model = load_model(golden_folder(GetParam()), {});
  model->set_trainable(true);
  expect_same(*model);
  for (const bool dora : {false, true}) {
    const auto adapted = load_model(golden_folder(GetParam()), {});
    attach_adapter(*adapted, {.rank = 2, .alpha = 3, .dropout = 0.3, .dora = dora}, 5);
    adapted->visit([](const std::string& name, Tensor& tensor) {
      const at::NoGradGuard no_grad;
      if (name.find("lora_B") != std::string::npos) tensor.fill_(0.1);
    });
    expect_same(*adapted);
  }
}

TEST(LayerRuns, AreTwoWhereGradientsAreWantedAndOneElsewhere) {
  const Packed input = pack({{1, 2}});
  int runs = 0;
  const auto layer = [&](const Tensor& x) {
    ++runs;
    return x * 2;
  };
  const Tensor x = at::ones({2, 3}).requires_grad_();
  const auto count = [&](bool recompute) {
    runs = 0;
    const RecomputeLayers scope(recompute);
    const Tensor y = LayerRuns(Pass(input)).run(layer, x).sum();
    if (y.requires_grad()) y.backward();
    return runs;
  };
  EXPECT_EQ(count(false), 1);
  EXPECT_EQ(count(true), 2);
  const at::NoGradGuard sampling;
  EXPECT_EQ(count(true), 1);
}

}  // namespace
}  // namespace alambic::recompute_test
