// How many operators, uploads and reads a pass, a chunk and a step take: what they cost on a GPU,
// where each is a launch or a wait. The numbers are in budgets.json;
// ALAMBIC_UPDATE_GOLDENS=1 build/release/tests/device_test --gtest_filter='Budget*' writes them.
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "alambic/objective/divergence.h"
#include "alambic/rollout/engine.h"
#include "alambic/teacher/local.h"
#include "alambic/train/optimizer.h"
#include "tests/device/models_on_device.h"
#include "tests/device/operator_list.h"
#include "tests/device/simulated_device.h"
#include "tests/device/simulated_kernels.h"
#include "tests/device/test_device.h"
#include "tests/model/gguf_of.h"

namespace alambic::budget_test {
namespace {

using simulated::Counts;
using simulated::kDevice;
using simulated::take_counts;

nlohmann::ordered_json in_json(const Counts& counts, int64_t times = 1) {
  const auto each = [&](int64_t count) {
    return static_cast<double>(count) / static_cast<double>(times);
  };
  return {{"operators", each(counts.operators)},
          {"uploads", each(counts.uploads)},
          {"reads", each(counts.reads)}};
}

Json config_of(int64_t layers, bool experts) {
  Json config = small_llama_config();
  config["num_hidden_layers"] = layers;
  if (experts) {
    config["architectures"] = {"MixtralForCausalLM"};
    config["model_type"] = "mixtral";
    config["num_local_experts"] = 8;
    config["num_experts_per_tok"] = 2;
  }
  return config;
}

std::vector<Request> requests_of(int64_t count) {
  std::vector<Request> requests;
  for (int64_t s = 0; s < count; ++s) {
    requests.push_back({{3, 4, static_cast<int32_t>(5 + s % 40)}, static_cast<uint64_t>(s)});
  }
  return requests;
}

/// Figures of 8 passes over the running sequences, from one read to the next, per pass: of those
/// that are not recorded, which are what a recording holds (graphs_test.cpp).
nlohmann::ordered_json decoding(const Model& model, const std::vector<Request>& requests,
                                std::vector<Completion>& completions) {
  const WithoutGraphs one_by_one;
  const auto counted = [&](int64_t tokens) {
    EngineOptions engine{.vocabulary = 50, .batch = std::ssize(requests)};
    engine.sampling.max_new_tokens = tokens;
    take_counts();
    completions = generate(model, requests, engine);
    return take_counts();
  };
  const Counts few = counted(9);  // the first is the prefill's
  const Counts many = counted(17);
  return in_json({.operators = many.operators - few.operators,
                  .uploads = many.uploads - few.uploads,
                  .reads = many.reads - few.reads},
                 8);
}

/// Figures of reading all prompts and drawing a token for each.
nlohmann::ordered_json prompts(const Model& model, const std::vector<Request>& requests) {
  EngineOptions engine{.vocabulary = 50, .batch = std::ssize(requests)};
  engine.sampling.max_new_tokens = 1;
  take_counts();
  generate(model, requests, engine);
  return in_json(take_counts());
}

struct Budget : testing::Test {
  void SetUp() override {
    if (!is_simulated()) GTEST_SKIP() << "counts are the simulated device's";
  }
  static nlohmann::ordered_json golden() {
    std::ifstream file(device_golden("budgets.json"));
    return file ? nlohmann::ordered_json::parse(file) : nlohmann::ordered_json::object();
  }

  static void compare(const std::string& name, const nlohmann::ordered_json& found) {
    nlohmann::ordered_json all = golden();
    if (updates_goldens()) {
      all[name] = found;
      std::ofstream(device_golden("budgets.json")) << all.dump(2) << "\n";
      return;
    }
    EXPECT_EQ(found, all[name]) << name;
  }

  static void measure(const std::string& kind, int64_t layers, int64_t sequences, bool experts,
                      at::ScalarType dtype = at::kFloat) {
    const std::string name =
        kind + ", " + std::to_string(layers) + " layers, " + std::to_string(sequences) + " rows";
    const auto student = model_on(config_of(layers, experts), 1, kDevice, true, dtype);
    const LocalTeacher teacher(model_on(config_of(layers, experts), 2, kDevice, false, dtype), 50);
    AdamW optimizer(*student, {});
    const std::vector<Request> requests = requests_of(sequences);
    std::vector<Completion> completions;
    nlohmann::ordered_json found;
    found["prompts"] = prompts(*student, requests);
    found["pass of decoding"] = decoding(*student, requests, completions);
    const Rollouts rollouts = to_rollouts(requests, completions, 0, kDevice);
    take_counts();
    const TeacherOutput output = teacher.evaluate(rollouts);
    found["teacher"] = in_json(take_counts());
    const Tensor hidden_MD =
        student->hidden(Pass(rollouts.sequences)).index_select(0, rollouts.loss_positions_M());
    found["forward pass"] = in_json(take_counts());
    const int64_t chunks = (hidden_MD.size(0) + 63) / 64;
    const Loss loss = divergence_loss({.terms = {{DivergenceKind::reverse_kl, 0, 1}}}, hidden_MD,
                                      student->head(), output, 12, {.rows = 64});
    const Counts of_loss = take_counts();
    found["chunk of the loss"] = in_json(of_loss, chunks);
    loss.value.backward();
    found["backward pass"] = in_json(take_counts());
    optimizer.step(1e-3, optimizer.gradient_norm() > 1 ? 0.5 : 1);
    found["update"] = in_json(take_counts());
    compare(name, found);
  }
};

using BudgetSlow = Budget;  // fibers of 64 rows

TEST_F(Budget, OfADenseModelIsKept) {
  if (!simulated::has_kernels()) GTEST_SKIP() << "with sanitizers there are no kernels";
  for (const int64_t layers : {2, 4}) measure("dense", layers, 1, false);
  measure("dense", 2, 8, false);
  measure("dense in bfloat16", 2, 8, false, at::kBFloat16);
}

TEST_F(Budget, OfAMixtureOfExpertsIsKept) {
  if (!simulated::has_kernels()) GTEST_SKIP() << "with sanitizers there are no kernels";
  measure("8 experts", 2, 1, true);
}

TEST_F(BudgetSlow, IsKeptAtAnyBatch) {
  if (!simulated::has_kernels()) GTEST_SKIP() << "with sanitizers there are no kernels";
  measure("dense", 4, 8, false);
  for (const int64_t layers : {2, 4}) measure("dense", layers, 64, false);
  for (const int64_t sequences : {8, 64}) measure("8 experts", 2, sequences, true);
  measure("dense in bfloat16", 2, 64, false, at::kBFloat16);
}

TEST_F(Budget, OfOperatorsAloneIsKept) {
  const simulated::WithoutKernels by_operators;
  for (const int64_t layers : {2, 4}) measure("dense, no kernels", layers, 8, false);
  measure("8 experts, no kernels", 2, 8, true);
}

// Prevents packed weights that are decoded, or multiplied, one by one where one launch is enough,
// and experts that make the host wait.
TEST_F(Budget, OfPackedWeightsIsKept) {
  if (!simulated::has_kernels()) GTEST_SKIP() << "with sanitizers there are no kernels";
  for (const bool experts : {false, true}) {
    for (const int64_t sequences : {8, 20}) {
      if (experts && sequences > 8) continue;
      Json config = config_of(2, experts);
      config["hidden_size"] = 32;
      config["intermediate_size"] = 64;
      const auto teacher = std::shared_ptr<Model>(
          load_model(gguf_of(config, "q8_0", "budget"), {.device = kDevice, .frozen = true}));
      const std::vector<Request> requests = requests_of(sequences);
      std::vector<Completion> completions;
      nlohmann::ordered_json found;
      found["prompts"] = prompts(*teacher, requests);
      found["pass of decoding"] = decoding(*teacher, requests, completions);
      const Rollouts rollouts = to_rollouts(requests, completions, 0, kDevice);
      take_counts();
      static_cast<void>(LocalTeacher(teacher, 50).evaluate(rollouts));
      found["teacher"] = in_json(take_counts());
      compare((experts ? "8 packed experts, 2 layers, " : "packed, 2 layers, ") +
                  std::to_string(sequences) + " rows",
              found);
    }
  }
}

// The aim for any batch: 9 launches a layer and 12 beside, no upload, one read in eight passes.
TEST_F(Budget, OfADecodingPassIsThatOfADenseModelsLayers) {
  const nlohmann::ordered_json all = golden();
  for (const int64_t layers : {2, 4}) {
    for (const char* rows : {"1", "8", "64"}) {
      const auto pass = all["dense, " + std::to_string(layers) + " layers, " + rows + " rows"]
                           ["pass of decoding"];
      EXPECT_LE(pass["operators"].get<double>(), 9.0 * static_cast<double>(layers) + 12) << rows;
      EXPECT_EQ(pass["uploads"].get<double>(), 0) << rows;
      EXPECT_LE(pass["reads"].get<double>(), 0.125) << rows;
    }
  }
}

// Prevents attention, or a cache, that goes through the sequences one by one.
TEST_F(Budget, OfABfloat16PassIsThatOfFewSequences) {
  const nlohmann::ordered_json all = golden();
  const auto& few = all["dense in bfloat16, 2 layers, 8 rows"];
  const auto& many = all["dense in bfloat16, 2 layers, 64 rows"];
  for (const char* pass : {"prompts", "teacher", "forward pass", "backward pass"}) {
    EXPECT_EQ(many.at(pass), few.at(pass)) << pass;
  }
}

}  // namespace
}  // namespace alambic::budget_test
