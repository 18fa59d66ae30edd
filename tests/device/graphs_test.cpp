// Recordings of what a device does, and generations whose passes are recorded.
#include <gtest/gtest.h>

#include "alambic/base/error.h"
#include "alambic/kernels/device_graph.h"
#include "alambic/model/load.h"
#include "alambic/rollout/engine.h"
#include "alambic/rollout/recorded_passes.h"
#include "tests/device/models_on_device.h"
#include "tests/device/simulated_device.h"
#include "tests/device/simulated_graphs.h"
#include "tests/device/simulated_kernels.h"
#include "tests/device/test_device.h"
#include "tests/golden_models.h"

namespace alambic::graphs_test {
namespace {

using kernels::DeviceGraph;

struct Graphs : testing::Test {
  void SetUp() override {
    if (!kernels::records_graphs(test_device())) GTEST_SKIP() << "the device records nothing";
    if (is_simulated() && !simulated::has_kernels()) GTEST_SKIP() << "it has no kernels";
  }
};

Tensor numbers(std::initializer_list<float> list) {
  return at::tensor(std::vector<float>(list), at::kFloat).to(test_device());
}

// A recording that is done while it is made, that holds numbers instead of their places, or whose
// memory others get.
TEST_F(Graphs, AreDoneWhenTheyAreReplayed) {
  const Tensor x = numbers({1, 2}), y = numbers({0, 0});
  const DeviceGraph graph(test_device(), [&] {
    const Tensor twice = x * 2;
    y.copy_(twice + x);
  });
  EXPECT_TRUE(at::equal(y.cpu(), at::tensor({0.0f, 0.0f})));
  const Tensor between = numbers({7, 7});
  for (const float add : {1, 10}) {
    x.add_(add);
    graph.replay();
    EXPECT_TRUE(at::equal(y.cpu(), x.cpu() * 3));
  }
  EXPECT_TRUE(at::equal(between.cpu(), at::tensor({7.0f, 7.0f})));
}

TEST_F(Graphs, ShareMemoryThatTheyUseInTurn) {
  const Tensor x = numbers({1, 2}), y = numbers({0, 0}), z = numbers({0, 0});
  const auto product = [&](const Tensor& to, double factor) {
    return [&x, to, factor] { to.copy_(x * factor + x); };
  };
  const DeviceGraph one(test_device(), product(y, 2));
  const DeviceGraph other(test_device(), product(z, 4), &one);
  one.replay();
  other.replay();
  one.replay();
  EXPECT_TRUE(at::equal(y.cpu(), x.cpu() * 3));
  EXPECT_TRUE(at::equal(z.cpu(), x.cpu() * 5));
}

// Bugs that only a GPU would show: a wait, an upload or a read in what is recorded.
TEST_F(Graphs, RefuseWhatAGpuRefuses) {
  if (!is_simulated()) GTEST_SKIP() << "a failed recording is no state to go on from";
  const Tensor x = numbers({1, 2});
  const auto expect_refused = [&](const std::function<void()>& what) {
    EXPECT_THROW(DeviceGraph(test_device(), what), std::runtime_error);
  };
  expect_refused([&] { static_cast<void>(x.cpu()); });
  expect_refused([&] { static_cast<void>(x[0].item<float>()); });
  expect_refused([&] { static_cast<void>(x.nonzero()); });
  expect_refused([&] { static_cast<void>(numbers({3})); });
  const DeviceGraph graph(test_device(), [&] { static_cast<void>(x + x); });  // it goes on
}

// Requests that end one after another, so that batches shrink and slots are used again.
std::vector<Completion> written(const Model& model, int64_t requests, int64_t batch, int64_t tokens,
                                int64_t vocabulary, const Sampling& sampling = {}) {
  EngineOptions engine{
      .sampling = sampling, .vocabulary = vocabulary, .batch = batch, .seed = 8, .page = 3};
  engine.sampling.max_new_tokens = tokens;
  engine.stop_tokens = {1};
  std::vector<Request> asked;
  for (int64_t i = 0; i < requests; ++i) {
    asked.push_back({{3, static_cast<int32_t>(4 + i % 9)}, static_cast<uint64_t>(i)});
  }
  return generate(model, asked, engine);
}

void expect_near(const std::vector<Completion>& found, const std::vector<Completion>& expected) {
  ASSERT_EQ(found.size(), expected.size());
  for (size_t i = 0; i < found.size(); ++i) {
    EXPECT_EQ(found[i].tokens, expected[i].tokens) << "completion " << i;
    EXPECT_EQ(found[i].ending, expected[i].ending) << "completion " << i;
    ASSERT_EQ(found[i].logp.size(), expected[i].logp.size());
    for (size_t t = 0; t < found[i].logp.size(); ++t) {
      EXPECT_NEAR(found[i].logp[t], expected[i].logp[t], 1e-3) << "completion " << i;
    }
  }
}

struct RecordedFamily : testing::TestWithParam<std::string> {
  void SetUp() override {
    if (!kernels::records_graphs(test_device())) GTEST_SKIP() << "the device records nothing";
    if (is_simulated() && !simulated::has_kernels()) GTEST_SKIP() << "it has no kernels";
  }
};

// A family whose passes depend on what the host knew when they were recorded; a graph of another
// batch, or one whose tensors have gone; a change after which a family asks the host.
TEST_P(RecordedFamily, WritesAsOnTheCpu) {
  const auto completions = [&](at::Device device) {
    const auto model = load_model(golden_folder(GetParam()),
                                  {.device = device, .dtype = at::kFloat, .frozen = true});
    return written(*model, 5, 4, 18, std::min<int64_t>(40, model->shape().vocabulary));
  };
  const int64_t before = simulated::replays();
  const auto found = completions(test_device()), expected = completions(at::kCPU);
  expect_near(found, expected);
  if (!is_simulated()) return;
  // The last two while their experts are dense.
  const std::set<std::string> ask = {"deepseek_v32", "deepseek_v4", "gemma4_moe", "gpt_oss"};
  EXPECT_EQ(simulated::replays() == before, ask.contains(GetParam()));
}

std::vector<std::string> models_to_record() {
  std::vector<std::string> models = golden_models();
  models.push_back("mxfp4");  // gpt-oss with packed experts
  return models;
}

INSTANTIATE_TEST_SUITE_P(Golden, RecordedFamily, testing::ValuesIn(models_to_record()),
                         golden_name);

std::shared_ptr<Model> one_layer(int64_t positions) {
  Json config = small_llama_config();
  config["max_position_embeddings"] = positions;
  config["num_hidden_layers"] = 1;
  return model_on(config, 1, test_device(), false);
}

// A recording for sequences that were shorter: attention that sees only their entries.
TEST_F(Graphs, OfLongerSequencesAreOthers) {
  const std::shared_ptr<Model> model = one_layer(300);
  EngineOptions engine{.vocabulary = 50, .batch = 1, .seed = 3};
  engine.sampling.max_new_tokens = 32;
  const std::vector<Request> requests = {{std::vector<int32_t>(240, 3), 0}};
  const auto found = generate(*model, requests, engine);
  const WithoutGraphs one_by_one;
  const auto expected = generate(*model, requests, engine);
  expect_near(found, expected);
}

// A pass that is recorded with the tokens that sequences had had then, or of a slot's last one.
TEST_F(Graphs, ProcessLogitsAsOnTheCpu) {
  for (const double temperature : {0.0, 1.0}) {
    const Sampling sampling{.temperature = temperature,
                            .repetition_penalty = 1.7,
                            .logit_bias = {{7, 2.0F}, {9, -3.0F}, {60, 1.0F}},
                            .suppressed = {11, 12},
                            .suppressed_at_first = {13, 14}};
    const auto completions = [&](at::Device device) {
      return written(*model_on(small_llama_config(), 1, device, false), 7, 4, 24, 40, sampling);
    };
    const int64_t before = simulated::replays();
    expect_near(completions(test_device()), completions(at::kCPU));
    EXPECT_TRUE(!is_simulated() || simulated::replays() > before);
  }
}

// The host gives two things to the device in a pass: the graph, and where its draws are kept.
TEST_F(Graphs, TakeTwoLaunchesAPass) {
  if (!is_simulated()) GTEST_SKIP() << "counts are the simulated device's";
  const std::shared_ptr<Model> model = one_layer(64);
  Sampling sampling;
  const auto launches = [&](int64_t tokens) {
    EngineOptions engine{.sampling = sampling, .vocabulary = 50, .batch = 3, .seed = 3};
    engine.sampling.max_new_tokens = tokens;
    const std::vector<Request> requests = {{{3, 4}, 0}, {{5}, 1}, {{6}, 2}};
    simulated::take_counts();
    generate(*model, requests, engine);
    return simulated::take_counts();
  };
  for (const double penalty : {1.0, 1.5}) {
    sampling.repetition_penalty = penalty;
    const auto some = launches(33), more = launches(41);
    EXPECT_EQ(more.operators - some.operators, 16) << penalty;
    EXPECT_EQ(more.uploads, some.uploads) << penalty;
    EXPECT_EQ(more.reads - some.reads, 1) << penalty;
  }
}

// A family that is slower than others without a word, or with a word at every step of a run; a
// pass that is done twice, or not at all, since its recording failed.
TEST_F(Graphs, ThatCannotBeAreSaidOnceByTheFamily) {
  const auto said_of = [](const RecordedPasses::OnePass& pass) {
    testing::internal::CaptureStderr();
    RecordedPasses passes(test_device(), 2, 300, "a family");
    const Tensor drawn = at::zeros({2, 1}, at::TensorOptions(at::kDouble).device(test_device()));
    for (int64_t i = 1; i <= 20; ++i) {
      passes.run(5, drawn, pass);
      EXPECT_EQ(drawn.cpu()[0].item<double>(), static_cast<double>(i));
    }
    return testing::internal::GetCapturedStderr();
  };
  const Tensor count = at::zeros({2, 1}, at::TensorOptions(at::kDouble).device(test_device()));
  const auto counted = [&](const Tensor& drawn) {
    count.add_(1);
    Tensor(drawn).copy_(count);
  };
  const auto asks = [&](int64_t /*longest*/, const Tensor& drawn) {
    counted(drawn);
    kernels::not_to_be_recorded("it asks who runs");
  };
  EXPECT_NE(said_of(asks).find("passes of a family are enqueued one kernel after another, not "
                               "recorded: it asks who runs\n"),
            std::string::npos);
  count.zero_();
  EXPECT_EQ(said_of(asks), "");
  if (!is_simulated()) return;  // what a GPU refuses
  count.zero_();
  const auto waits = [&](int64_t /*longest*/, const Tensor& drawn) {
    counted(drawn);
    static_cast<void>(drawn.cpu());
  };
  EXPECT_NE(said_of(waits).find("warning: passes of a family"), std::string::npos);
}

// Passes for three sequences have a fourth row, which is of the slot that is free: a sequence
// whose entries it overwrites goes on otherwise. A request that comes last takes that slot.
TEST_F(Graphs, RowsThatFillUpLeaveRunningSequencesAlone) {
  const std::shared_ptr<Model> model = one_layer(40);
  EngineOptions engine{.vocabulary = 50, .batch = 4, .seed = 3};
  engine.sampling.max_new_tokens = 40;
  std::vector<Request> requests;
  // The first two end where the context does, so that three run for long.
  for (const size_t tokens : {30, 28, 3, 4, 5}) {
    requests.push_back({std::vector<int32_t>(tokens, 3), requests.size()});
  }
  const int64_t before = simulated::replays();
  const auto found = generate(*model, requests, engine);
  EXPECT_TRUE(!is_simulated() || simulated::replays() > before);
  const WithoutGraphs one_by_one;
  const auto expected = generate(*model, requests, engine);
  expect_near(found, expected);
}

// The same of states, which a slot has one of however long its sequence is.
TEST_F(Graphs, RowsThatFillUpLeaveStatesAlone) {
  const auto of_seven = [](at::Device device) {
    const auto model = load_model(golden_folder("qwen3_5"),
                                  {.device = device, .dtype = at::kFloat, .frozen = true});
    return written(*model, 7, 4, 18, 40);  // the last three have a fourth row
  };
  expect_near(of_seven(test_device()), of_seven(at::kCPU));
}

// The variable that leaves them out, misspelled or without effect.
TEST_F(Graphs, AreLeftOutByAnEnvironmentVariable) {
  const WithoutGraphs restored;
  kernels::use_device_graphs(test_device().type(), {.begin = [](void*) -> void* { return {}; }});
  ::setenv("ALAMBIC_GRAPHS", "none", 1);
  kernels::open_device_graphs(test_device());
  EXPECT_FALSE(kernels::records_graphs(test_device()));
  ::setenv("ALAMBIC_GRAPHS", "off", 1);
  EXPECT_THROW(kernels::open_device_graphs(test_device()), Error);
  ::unsetenv("ALAMBIC_GRAPHS");
}

}  // namespace
}  // namespace alambic::graphs_test
