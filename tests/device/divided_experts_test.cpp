// Rows that go to the ranks of their experts from an accelerator, by way of the machine's memory.
#include <gtest/gtest.h>

#include "alambic/nn/moe.h"
#include "tests/device/models_on_device.h"
#include "tests/device/test_device.h"

namespace alambic::divided_experts_test {
namespace {

Json mixtral() {
  Json config = small_llama_config();
  config["model_type"] = "mixtral";
  config["num_local_experts"] = 4;
  config["num_experts_per_tok"] = 2;
  return config;
}

// Hidden states of a prompt, and then the gradients of all tensors, on the CPU.
std::vector<Tensor> learned(Model& model) {
  const Packed prompt = pack({{1, 2, 3, 4}, {5, 6}}, model.options().device());
  const Tensor hidden_ND = model.hidden(Pass(prompt));
  hidden_ND.square().sum().backward();
  std::vector<Tensor> results = {hidden_ND.detach().cpu()};
  model.visit([&](const std::string&, Tensor& tensor) {
    if (tensor.grad().defined()) results.push_back(tensor.grad().cpu());
  });
  return results;
}

// Prevents rows or counts that are read on the device's side by the host, or sorted where the
// kernels have sorted them otherwise: with one rank all rows come back to where they were.
TEST(DividedExperts, OfADeviceComputeAndLearnTheSame) {
  const auto whole = model_on(mixtral(), 1, test_device(), true);
  const auto divided = model_on(mixtral(), 1, test_device(), true);
  const auto alone = std::make_shared<const World>();
  for (Router* router : divided->routers()) {
    router->ranks = std::make_shared<const ExpertRanks>(ExpertRanks{.world = alone});
  }
  const std::vector<Tensor> expected = learned(*whole), found = learned(*divided);
  ASSERT_EQ(expected.size(), found.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    EXPECT_LT((expected[i] - found[i]).abs().max().item<double>(), 1e-5) << i;
  }
  const at::NoGradGuard no_gradient;
  const Packed prompt = pack({{1, 2, 3, 4}, {5, 6}}, test_device());
  const Tensor difference = divided->hidden(Pass(prompt)).cpu() - expected.front();
  EXPECT_LT(difference.abs().max().item<double>(), 1e-5);
}

}  // namespace
}  // namespace alambic::divided_experts_test
