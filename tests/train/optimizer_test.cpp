#include "alambic/train/optimizer.h"

#include <gtest/gtest.h>

#include "alambic/model/load.h"
#include "alambic/objective/cross_entropy.h"
#include "tests/golden_models.h"
#include "tests/train/task_fixture.h"

namespace alambic::optimizer_test {
namespace {

struct AdamWGolden : testing::TestWithParam<std::string> {};

// Ten steps beside torch.optim.AdamW: a wrong bias correction, decay or epsilon shows at once.
void expect_the_losses_of_torch(const std::string& name, at::ScalarType dtype, int64_t steps) {
  const std::filesystem::path folder = golden_folder(name);
  const std::filesystem::path file = folder / "golden.safetensors";
  const std::unique_ptr<Model> model = load_model(folder, {.dtype = dtype, .trainable = true});
  AdamW optimizer(
      *model,
      {.beta1 = 0.9, .beta2 = 0.95, .epsilon = 1e-8, .weight_decay = 0.1, .decay_vectors = true});
  const Tensor tokens_ST = golden(file, "tokens");
  const int64_t T = tokens_ST.size(1);
  const Packed input{.tokens_N = tokens_ST.flatten(), .offsets = {0, T, 2 * T}};
  const Tensor loss_positions_M = at::cat({at::arange(0, T - 1), at::arange(T, 2 * T - 1)});
  const Tensor targets_M = input.tokens_N.index_select(0, loss_positions_M + 1);
  const Tensor expected = golden(file, "adamw_losses");
  ASSERT_EQ(expected.numel(), 10);
  for (int64_t step = 0; step < steps; ++step) {
    const Loss loss =
        cross_entropy_loss(model->hidden(Pass(input)).index_select(0, loss_positions_M),
                           model->head(), targets_M, static_cast<double>(loss_positions_M.numel()));
    EXPECT_LT(relative_distance(loss.value, expected[step]), 1e-4) << "step " << step;
    loss.value.backward();
    optimizer.step(1e-2, 1);
  }
}

TEST_P(AdamWGolden, GivesTheTenLossesOfTorch) {
  expect_the_losses_of_torch(GetParam(), at::kDouble, 10);
}

// Fewer in float32: a token between two experts may go to the other one, and the losses part.
TEST_P(AdamWGolden, GivesTheFirstLossesOfTorchInFloat32) {
  expect_the_losses_of_torch(GetParam(), at::kFloat, 6);
}

INSTANTIATE_TEST_SUITE_P(All, AdamWGolden, testing::ValuesIn(golden_models()), golden_name);

// Steps of a tenth of a bfloat16 unit are lost when they are added to the bfloat16 weights.
TEST(AdamW, KeepsSmallUpdatesOfBfloat16Weights) {
  const auto model = trainable_model(1, 1.5, at::kBFloat16);
  model->visit([](const std::string&, Tensor& tensor) {
    const at::NoGradGuard no_grad;
    tensor.fill_(1);
  });
  AdamW optimizer(*model, {});
  for (int step = 0; step < 100; ++step) {
    model->visit([](const std::string&, Tensor& tensor) {
      tensor.mutable_grad() = at::ones(tensor.sizes(), at::kBFloat16);
    });
    optimizer.step(4e-4, 1);  // bfloat16 has steps of 3.9e-3 below 1
  }
  EXPECT_NEAR(weights_of(*model).to(at::kFloat).mean().item<double>(), 0.96, 0.004);
}

// Decayed norms and biases pull a model's activations towards zero.
TEST(AdamW, DecaysMatricesAndNotVectors) {
  const auto model = trainable_model();
  const auto before = trainable_model();
  AdamW optimizer(*model, {.weight_decay = 0.5});
  model->visit([](const std::string&, Tensor& tensor) {
    tensor.mutable_grad() = at::zeros(tensor.sizes());
  });
  optimizer.step(0.1, 1);
  std::map<std::string, Tensor> old;
  before->visit([&](const std::string& name, Tensor& tensor) { old[name] = tensor; });
  model->visit([&](const std::string& name, Tensor& tensor) {
    const double kept = tensor.dim() >= 2 ? 1 - 0.1 * 0.5 : 1;
    EXPECT_LT(distance(tensor.detach(), old.at(name).detach() * kept), 1e-6) << name;
  });
}

}  // namespace
}  // namespace alambic::optimizer_test
