// Every golden model learns and samples on a device as on the CPU.
#include <cmath>

#include "alambic/model/load.h"
#include "alambic/objective/cross_entropy.h"
#include "alambic/rollout/engine.h"
#include "alambic/train/optimizer.h"
#include "tests/device/simulated_kernels.h"
#include "tests/device/test_device.h"
#include "tests/golden_models.h"

namespace alambic::families_test {
namespace {

struct Learned {
  double loss = 0, norm = 0;
  std::vector<Completion> completions;
};

/// A step of learning.
Learned learn(Model& model, AdamW& optimizer, at::Device device) {
  const int64_t vocabulary = std::min<int64_t>(40, model.shape().vocabulary);
  const Packed input = pack({{3, 7, 9, 11, 5, 8}, {4, 8, 2}, {9, 9, 1, 30, 31, 7, 6, 5}}, device);
  std::vector<int64_t> targets;
  for (int64_t n = 0; n < input.positions(); ++n) targets.push_back((n * 7 + 3) % vocabulary);
  const Loss loss = cross_entropy_loss(model.hidden(Pass(input)), model.head(),
                                       at::tensor(targets, at::kLong).to(device), 17);
  loss.value.backward();
  Learned learned = {.loss = loss.value.item<double>(), .norm = optimizer.gradient_norm()};
  optimizer.step(1e-4, 0.5);
  return learned;
}

Learned learn_and_sample(const std::filesystem::path& folder, at::Device device) {
  const auto model = load_model(folder, {.device = device, .dtype = at::kFloat, .trainable = true});
  AdamW optimizer(*model, {});
  Learned learned = learn(*model, optimizer, device);
  // Two at a time: slots are used again. Pages are shorter than what is written.
  EngineOptions engine{.batch = 2, .seed = 8, .page = 3};
  // About one token in five ends a completion, between two reads of the device.
  for (int32_t token = 0; token < model->shape().vocabulary; token += 5)
    engine.stop_tokens.push_back(token);
  engine.sampling.max_new_tokens = 8;
  const std::vector<Request> requests = {
      {{5, 7, 9, 11}, 0}, {{5, 7, 9, 11}, 1}, {{3}, 2}, {{4, 8}, 3}};
  learned.completions = generate(*model, requests, engine);
  return learned;
}

struct FamiliesOnADevice : testing::TestWithParam<std::string> {};

void expect_as_on_the_cpu(const std::string& model) {
  const auto folder = golden_folder(model);
  const Learned cpu = learn_and_sample(folder, at::kCPU);
  const Learned device = learn_and_sample(folder, test_device());
  const double digits = is_simulated() ? 1 : 10;  // a card adds in another order
  EXPECT_NEAR(device.loss, cpu.loss, digits * 1e-5 * std::abs(cpu.loss));
  EXPECT_NEAR(device.norm, cpu.norm, digits * 1e-4 * cpu.norm);
  ASSERT_EQ(device.completions.size(), cpu.completions.size());
  for (size_t i = 0; i < cpu.completions.size(); ++i) {
    EXPECT_EQ(device.completions[i].tokens, cpu.completions[i].tokens) << "completion " << i;
    EXPECT_EQ(device.completions[i].ending, cpu.completions[i].ending);
    for (size_t t = 0; t < cpu.completions[i].logp.size(); ++t) {
      EXPECT_NEAR(device.completions[i].logp.at(t), cpu.completions[i].logp[t], digits * 1e-4);
    }
  }
}

// A family whose code reads a tensor on the host, or makes one on the CPU; a kernel that a family
// calls with what it does not do.
TEST_P(FamiliesOnADevice, LearnAndSampleAsOnTheCpu) { expect_as_on_the_cpu(GetParam()); }

TEST_P(FamiliesOnADevice, LearnAndSampleByOperatorsAlone) {
  if (!is_simulated()) GTEST_SKIP() << "a GPU's are those of the other test";
  const simulated::WithoutKernels by_operators;
  expect_as_on_the_cpu(GetParam());
}

// A family that FlashAttention gets in another way than libtorch's plain attention: heads of MLA
// that are padded, windows, sinks, soft-caps.
TEST_P(FamiliesOnADevice, LearnInBfloat16NearTheCpu) {
  const auto learned = [&](at::Device device) {
    const auto model = load_model(golden_folder(GetParam()),
                                  {.device = device, .dtype = at::kBFloat16, .trainable = true});
    AdamW optimizer(*model, {});
    return learn(*model, optimizer, device);
  };
  const Learned cpu = learned(at::kCPU), device = learned(test_device());
  const double digits = is_simulated() ? 1 : 3;
  EXPECT_NEAR(device.loss, cpu.loss, digits * 1e-2 * std::abs(cpu.loss));
  EXPECT_NEAR(device.norm, cpu.norm, digits * 3e-2 * cpu.norm);
}

INSTANTIATE_TEST_SUITE_P(Golden, FamiliesOnADevice, testing::ValuesIn(golden_models()),
                         golden_name);

}  // namespace
}  // namespace alambic::families_test
