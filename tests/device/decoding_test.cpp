// What a device does in a pass of decoding beside what every family's test shows.
#include <gtest/gtest.h>

#include "alambic/base/error.h"
#include "alambic/nn/joint_linear.h"
#include "alambic/rollout/engine.h"
#include "tests/device/models_on_device.h"
#include "tests/device/simulated_device.h"
#include "tests/device/simulated_kernels.h"
#include "tests/device/test_device.h"

namespace alambic::decoding_test {
namespace {

Linear map_of(int64_t in, int64_t out, bool biased, uint64_t seed) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  Linear map(in, out, biased);
  map.weight = at::randn({out, in}, generator).to(test_device());
  if (biased) map.bias = at::randn({out}, generator).to(test_device());
  return map;
}

struct JointLinear : testing::Test {
  static void expect_each(const Tensor& x_ND, const std::vector<const Linear*>& maps) {
    const std::vector<Tensor> found = joint_linear(x_ND, maps);
    ASSERT_EQ(found.size(), maps.size());
    for (size_t i = 0; i < maps.size(); ++i) {
      const Tensor alone = (*maps[i])(x_ND).cpu();
      EXPECT_TRUE(at::allclose(found[i].cpu(), alone, 1e-5, 1e-5)) << "map " << i;
    }
  }
  static int64_t operators(const std::function<void()>& run) {
    simulated::take_counts();
    run();
    return simulated::take_counts().operators;
  }
};

// Numbers that change as they move, outputs of one map taken for another's, and products that stay
// apart where they need not.
TEST_F(JointLinear, IsEachMapInOneProduct) {
  for (const bool biased : {false, true}) {
    Linear q = map_of(12, 8, biased, 1), k = map_of(12, 4, biased, 2), v = map_of(12, 6, biased, 3);
    const Tensor before = k.weight.dense().cpu(), x_ND = at::randn({5, 12}).to(test_device());
    lay_side_by_side({&q, &k, &v});
    EXPECT_TRUE(at::equal(k.weight.dense().cpu(), before));
    const at::NoGradGuard no_gradient;
    expect_each(x_ND, {&q, &k, &v});
    if (!is_simulated()) continue;
    EXPECT_EQ(operators([&] { joint_linear(x_ND, {&q, &k, &v}); }), 1);
    EXPECT_EQ(operators([&] { joint_linear(x_ND, {&k, &q}); }), 2) << "in another order";
  }
}

// A step of the optimizer, a gathered layer or an adapter: whatever has become of a weight, the
// outputs are the maps' own.
TEST_F(JointLinear, FollowsItsMaps) {
  Linear gate = map_of(12, 8, false, 1), up = map_of(12, 8, false, 2);
  lay_side_by_side({&gate, &up});
  const Tensor x_ND = at::randn({5, 12}).to(test_device());
  {
    const at::NoGradGuard no_gradient;
    up.weight.dense().add_(1);
    expect_each(x_ND, {&gate, &up});
    up.weight.dense().set_data(up.weight.dense() * 2);
    expect_each(x_ND, {&gate, &up});
  }
  gate.weight.dense().set_requires_grad(true);
  joint_linear(x_ND, {&gate, &up})[0].sum().backward();
  EXPECT_EQ(gate.weight.dense().grad().sizes(), gate.weight.dense().sizes());
}

TEST_F(JointLinear, LeavesMapsOfOtherInputsWhereTheyAre) {
  Linear one = map_of(12, 8, false, 1), other = map_of(10, 8, false, 2);
  const void* place = one.weight.dense().const_data_ptr();
  lay_side_by_side({&one, &other});
  EXPECT_EQ(one.weight.dense().const_data_ptr(), place);
}

// Prevents keys and draws that are rounded twice, or read as float32: no golden model is narrow.
TEST(DecodingOnADevice, InBfloat16KernelsDrawWhatOperatorsDo) {
  const auto model = model_on(small_llama_config(), 1, test_device(), false, at::kBFloat16);
  EngineOptions engine{.vocabulary = 50, .batch = 3, .seed = 5};
  engine.sampling.max_new_tokens = 12;
  std::vector<Request> requests;
  for (uint64_t i = 0; i < 5; ++i) requests.push_back({{3, 4, static_cast<int32_t>(5 + i)}, i});
  std::vector<std::vector<Completion>> found;
  simulated::with_and_without_kernels(
      [&](const std::string&) { found.push_back(generate(*model, requests, engine)); });
  if (found.size() < 2) GTEST_SKIP() << "there is one way alone";
  int64_t compared = 0;
  for (size_t i = 0; i < requests.size(); ++i) {
    const Completion &kernels = found[0][i], &operators = found[1][i];
    for (size_t t = 0; t < operators.tokens.size(); ++t) {
      if (kernels.tokens.at(t) != operators.tokens[t]) break;  // a coin at a rounded border
      EXPECT_NEAR(kernels.logp[t], operators.logp[t], 0.2) << i << ", " << t;  // logits of 8 bits
      ++compared;
    }
  }
  EXPECT_GT(compared, 30) << "of 60";
}

// Logits that are processed otherwise than on the CPU, by kernels or by operators; probabilities of
// processed logits, where the model's own are asked for.
TEST(DecodingOnADevice, ProcessesLogitsAsTheCpu) {
  EngineOptions engine{.vocabulary = 50, .batch = 3, .seed = 5};
  engine.sampling = {.max_new_tokens = 12,
                     .repetition_penalty = 1.5,
                     .logit_bias = {{7, 2.0F}, {99, 9.0F}},
                     .suppressed = {11, 12, -1},
                     .suppressed_at_first = {13, 14}};
  std::vector<Request> requests;
  for (uint64_t i = 0; i < 5; ++i) requests.push_back({{3, 4, static_cast<int32_t>(5 + i)}, i});
  const auto expected =
      generate(*model_on(small_llama_config(), 1, at::kCPU, false), requests, engine);
  const auto model = model_on(small_llama_config(), 1, test_device(), false);
  simulated::with_and_without_kernels([&](const std::string& how) {
    const std::vector<Completion> found = generate(*model, requests, engine);
    for (size_t i = 0; i < requests.size(); ++i) {
      EXPECT_EQ(found[i].tokens, expected[i].tokens) << how << ", " << i;
      for (size_t t = 0; t < expected[i].logp.size(); ++t) {
        EXPECT_NEAR(found[i].logp.at(t), expected[i].logp[t], 1e-4) << how << ", " << i;
      }
    }
  });
}

// A row that is not finite: nothing on the device notices, so the host must when it reads.
TEST(DecodingOnADevice, TellsLogitsThatAreNotFinite) {
  const auto model = model_on(small_llama_config(), 1, test_device(), false);
  model->visit([](const std::string& name, Tensor& tensor) {
    if (name == "model.norm.weight") tensor.fill_(NAN);
  });
  EngineOptions engine{.vocabulary = 50, .batch = 3};
  engine.sampling.max_new_tokens = 4;
  const std::vector<Request> requests = {{{3, 4}, 0}};
  simulated::with_and_without_kernels([&](const std::string& how) {
    try {
      generate(*model, requests, engine);
      ADD_FAILURE() << how;
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find("request 0, position 2"), std::string::npos)
          << error.what();
    }
  });
}

}  // namespace
}  // namespace alambic::decoding_test
