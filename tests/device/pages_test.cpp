// Keys and values in pages: the memory they take, and completions that do not depend on it.
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "alambic/base/error.h"
#include "alambic/rollout/engine.h"
#include "alambic/tensor/device.h"
#include "tests/device/models_on_device.h"
#include "tests/device/simulated_device.h"
#include "tests/device/simulated_kernels.h"
#include "tests/device/test_device.h"

namespace alambic::pages_test {
namespace {

constexpr int64_t kVocabulary = 500;
constexpr double kTokenBytes = 2 * 2 * 4 * 64 * sizeof(float);  // of keys and values

std::shared_ptr<Model> model_for_long_texts(at::Device device) {
  Json config = small_llama_config(kVocabulary);
  config["max_position_embeddings"] = 600;
  config["num_key_value_heads"] = 4;
  config["head_dim"] = 64;
  return model_on(config, 1, device, false);
}

// `count` prompts of so many tokens; those of a group are alike.
std::vector<Request> requests_of(int64_t count, int64_t length, int64_t group) {
  std::vector<Request> requests;
  for (int64_t i = 0; i < count; ++i) {
    std::vector<int32_t> prompt;
    for (int64_t t = 0; t < length; ++t) {
      prompt.push_back(static_cast<int32_t>((3 + 7 * t + 11 * (i / group)) % kVocabulary));
    }
    requests.push_back({prompt, static_cast<uint64_t>(i)});
  }
  return requests;
}

void expect_equal(const std::vector<Completion>& found, const std::vector<Completion>& expected,
                  const std::string& what) {
  ASSERT_EQ(found.size(), expected.size());
  for (size_t i = 0; i < found.size(); ++i) {
    EXPECT_EQ(found[i].tokens, expected[i].tokens) << what << ", completion " << i;
  }
}

// Entries at the ends of pages; pages that were another's; a copied prompt with a page of its own;
// a table that the device has not heard of.
TEST(PagesOnADevice, HoldWhatTheCpuHolds) {
  EngineOptions engine{.vocabulary = kVocabulary, .batch = 3, .seed = 4};
  engine.sampling.max_new_tokens = 21;
  for (int32_t token = 0; token < kVocabulary; token += 20) engine.stop_tokens.push_back(token);
  const std::vector<Request> requests = requests_of(8, 10, 3);
  const auto expected = generate(*model_for_long_texts(at::kCPU), requests, engine);
  const auto model = model_for_long_texts(test_device());
  simulated::with_and_without_kernels([&](const std::string& how) {
    for (const int64_t page : {1, 5, 32}) {
      engine.page = page;
      expect_equal(generate(*model, requests, engine), expected,
                   how + ", pages of " + std::to_string(page));
    }
  });
}

struct PagesInMemory : testing::Test {
  void SetUp() override {
    if (!is_simulated()) GTEST_SKIP() << "its memory cannot be set";
    model = model_for_long_texts(simulated::kDevice);
    engine.sampling.max_new_tokens = 200;
  }
  void TearDown() override { simulated::set_memory(0); }

  struct Generated {
    std::vector<Completion> completions;
    double peak = 0;     // bytes beside the weights
    int64_t behind = 0;  // most tokens by which one had fallen behind when the first one ended
    int64_t passes = 0;
  };
  Generated generated(const std::vector<Request>& requests) {
    Generated result;
    std::map<size_t, int64_t> drawn;
    reset_peak_memory(simulated::kDevice);
    const double before = peak_memory(simulated::kDevice);
    const auto count = [&](size_t request, int32_t) {
      if (++drawn[request] < engine.sampling.max_new_tokens || request > 0) return;
      for (const auto& [other, tokens] : drawn) {
        result.behind = std::max(result.behind, engine.sampling.max_new_tokens - tokens);
      }
    };
    result.completions = generate(*model, requests, engine, count,
                                  [&](const EngineProgress& now) { result.passes = now.passes; });
    result.peak = peak_memory(simulated::kDevice) - before;
    return result;
  }

  // Leaves so many bytes to pages: of a device that is nearly full, a sixteenth is the passes'.
  void leave(double bytes) {
    full =
        at::empty({int64_t{32} << 20}, at::TensorOptions().dtype(at::kChar).device(test_device()));
    reset_peak_memory(simulated::kDevice);
    const double used = peak_memory(simulated::kDevice);
    simulated::set_memory(static_cast<size_t>((used + bytes) * 16 / 15));
  }

  Tensor full;
  std::shared_ptr<Model> model;
  EngineOptions engine{.vocabulary = kVocabulary, .batch = 8, .seed = 4};
};

// Prevents slots that are as long as the longest completion could be.
TEST_F(PagesInMemory, FollowsWhatIsWritten) {
  const simulated::WithoutKernels by_operators;  // fibers take their time
  engine.page = 8;
  const std::vector<Request> requests = requests_of(8, 4, 1);
  const Generated all = generated(requests);
  // Tokens that the last completion does not have end the others.
  const std::vector<int32_t>& last = all.completions.back().tokens;
  const std::set<int32_t> kept(last.begin(), last.end());
  for (int32_t token = 0; token < kVocabulary; ++token) {
    if (!kept.contains(token)) engine.stop_tokens.push_back(token);
  }
  const Generated one = generated(requests);
  EXPECT_EQ(one.completions.back().tokens, last);
  for (size_t i = 0; i < 7; ++i) EXPECT_LT(one.completions[i].tokens.size(), 60u) << i;
  EXPECT_LT(one.peak, 0.4 * 8 * 204 * kTokenBytes);  // of what slots as long as the last one hold
}

// Prevents a copy of its prompt in every completion's slot.
TEST_F(PagesInMemory, HoldsAPromptOnce) {
  engine.prefill_tokens = 240;  // as many in a pass as of those that are alike
  engine.sampling.max_new_tokens = 2;
  const double apart = generated(requests_of(8, 240, 1)).peak;
  const Generated together = generated(requests_of(8, 240, 8));
  EXPECT_LT(together.peak, 0.4 * apart);
  const auto expected = generate(*model_for_long_texts(at::kCPU), requests_of(8, 240, 8), engine);
  expect_equal(together.completions, expected, "alike");
}

// Prevents runs that end where the device is full, and completions that know of it: tokens that a
// sequence has had before it waited are its own all the same.
TEST_F(PagesInMemory, LetsTheLastOnesWaitWhereThereIsTooLittle) {
  const simulated::WithoutKernels by_operators;
  engine.sampling.repetition_penalty = 1.5;
  engine.sampling.suppressed_at_first = {5, 6, 7, 8, 9};
  engine.page = 4;
  engine.prefill_tokens = 16;
  engine.sampling.max_new_tokens = 40;
  const std::vector<Request> requests = requests_of(8, 8, 2);
  const Generated plenty = generated(requests);
  EXPECT_LT(plenty.behind, 16);
  leave(0.5 * 8 * 48 * kTokenBytes);
  const Generated little = generated(requests);
  expect_equal(little.completions, plenty.completions, "with half of the memory");
  EXPECT_GT(little.behind, 16);
  EXPECT_GT(little.passes, plenty.passes);
}

TEST_F(PagesInMemory, TellsWhereOneSequenceIsTooMuch) {
  const std::vector<Request> requests = requests_of(1, 4, 1);
  engine.page = 4;
  leave(50 * kTokenBytes);
  engine.sampling.max_new_tokens = 100;
  try {
    generated(requests);
    ADD_FAILURE() << "it fits";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("keys and values of request 0"), std::string::npos)
        << error.what();
  }
}

}  // namespace
}  // namespace alambic::pages_test
