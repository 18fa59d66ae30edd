// Every family against transformers: logits, hidden states, loss, all gradients, greedy answers.
#include <gtest/gtest.h>

#include "alambic/model/load.h"
#include "alambic/objective/cross_entropy.h"
#include "alambic/rollout/engine.h"
#include "tests/golden.h"

namespace alambic {
namespace {

struct Family : testing::TestWithParam<const char*> {
  std::filesystem::path folder = golden_folder(GetParam());
  std::filesystem::path file = folder / "golden.safetensors";
  std::unique_ptr<Model> model = load_model(folder, {.trainable = true});
  Tensor tokens_ST = golden(file, "tokens");

  Packed packed() const {
    const int64_t T = tokens_ST.size(1);
    return {.tokens_N = tokens_ST.flatten(), .offsets = {0, T, 2 * T}};
  }
};

TEST_P(Family, GivesTheLogitsAndHiddenStatesOfTransformers) {
  const at::NoGradGuard no_grad;
  const Packed input = packed();
  const Tensor hidden_ND = model->hidden(Pass(input));
  const Tensor logits_NV = at::matmul(hidden_ND, model->head().weight_VD.t());
  EXPECT_LT(distance(hidden_ND, golden(file, "hidden").flatten(0, 1)), 1e-4);
  EXPECT_LT(distance(logits_NV, golden(file, "logits").flatten(0, 1)), 1e-4);
}

TEST_P(Family, GivesTheGradientOfEveryParameter) {
  const Packed input = packed();
  const int64_t T = tokens_ST.size(1);
  // Every position but each sequence's last predicts its successor.
  const Tensor graded_M = at::cat({at::arange(0, T - 1), at::arange(T, 2 * T - 1)});
  const Tensor targets_M = input.tokens_N.index_select(0, graded_M + 1);
  const Loss loss =
      cross_entropy_loss(model->hidden(Pass(input)).index_select(0, graded_M), model->head(),
                         targets_M, static_cast<double>(graded_M.numel()));
  EXPECT_LT(relative_distance(loss.value, golden(file, "loss")), 1e-6);
  loss.value.backward();
  model->visit([&](const std::string& name, Tensor& tensor) {
    ASSERT_TRUE(tensor.grad().defined()) << name;
    EXPECT_LT(relative_distance(tensor.grad(), golden(file, "grad." + name)), 1e-4) << name;
  });
}

TEST_P(Family, WritesTheGreedyAnswerOfTransformers) {
  Request request;
  for (int64_t i = 0; i < 4; ++i) request.prompt.push_back(tokens_ST[0][i].item<int32_t>());
  const Tensor expected = golden(file, "greedy");
  EngineOptions options;
  options.sampling.temperature = 0;
  options.sampling.max_new_tokens = expected.numel();
  const std::vector<Request> requests = {request};
  const Answer answer = generate(*model, requests, options).front();
  EXPECT_TRUE(at::equal(at::tensor(answer.tokens, at::kLong), expected));
}

INSTANTIATE_TEST_SUITE_P(All, Family, testing::Values("llama", "llama_tied", "gpt2"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace alambic
