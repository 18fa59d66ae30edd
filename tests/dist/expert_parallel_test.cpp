// Models whose routed experts are divided between ranks, to which the tokens go.
#include "alambic/nn/expert_parallel.h"

#include <map>
#include <set>

#include "alambic/base/error.h"
#include "alambic/base/temporary_folder.h"
#include "alambic/model/divided_experts.h"
#include "alambic/model/load.h"
#include "alambic/nn/layer_of_name.h"
#include "alambic/nn/moe.h"
#include "alambic/nn/recompute.h"
#include "alambic/teacher/local.h"
#include "alambic/train/accompany.h"
#include "alambic/train/checkpoint.h"
#include "alambic/train/joint_writing.h"
#include "tests/dist/learned.h"
#include "tests/dist/rank_processes.h"
#include "tests/golden_models.h"

namespace alambic::expert_parallel_test {
namespace {

struct DISABLED_Experts : testing::Test {
  static inline std::shared_ptr<const World> world;  // see DISABLED_Writers

  static void SetUpTestSuite() {
    at::set_num_threads(1);
    world = std::make_shared<const World>(launch_environment(), 60);
  }
  static void TearDownTestSuite() { world.reset(); }

  static ShardingOptions divided(ZeroStage stage, int64_t ranks = 0) {
    return {.stage = stage, .expert_parallel_size = ranks > 0 ? ranks : world->size()};
  }
  // Whose experts these ranks divide.
  static Json config_of(const std::string& family) {
    Json config = golden_config(family);
    for (const char* key : {"num_local_experts", "num_experts", "n_routed_experts"}) {
      if (config.contains(key) && config[key].get<int64_t>() % world->size() != 0) config[key] = 12;
    }
    return config;
  }
};

// Prevents a gradient that is of one rank's tokens, or of them all on each rank; an expert that is
// another rank's; tokens that come back in another order; a rank that has fewer micro-batches and
// leaves the others waiting, or is counted in the routers' balance for taking part; norms of a
// part.
TEST_F(DISABLED_Experts, LearnLikeOne) {
  expect_like_one("weights", config_of("mixtral"), {}, world, divided(ZeroStage::weights));
  expect_like_one("gradients", config_of("deepseek_v3"), {}, world, divided(ZeroStage::gradients));
  expect_like_one("one tensor", config_of("gpt_oss"), {}, world, divided(ZeroStage::weights));
}

TEST_F(DISABLED_Experts, LearnLikeOneInEveryWay) {
  const ShardingOptions three = divided(ZeroStage::weights), two = divided(ZeroStage::gradients);
  for (const char* family : {"qwen3_moe", "deepseek_v3", "qwen3_5_moe", "gemma4_moe"}) {
    expect_like_one(family, config_of(family), {}, world, three);
  }
  expect_like_one("gradients", config_of("mixtral"), {}, world, two);
  TrainableOptions adapter;
  adapter.lora.rank = 2;
  expect_like_one("adapter", config_of("mixtral"), adapter, world, three);
  if (world->size() != 4) return;
  expect_like_one("copies", config_of("mixtral"), {}, world, divided(ZeroStage::weights, 2));
}

// Prevents a family whose experts are asked by another way than those of the others.
TEST_F(DISABLED_Experts, OfEachFamilyComputeTheSame) {
  int64_t families = 0;
  for (const std::string& name : golden_models()) {
    SCOPED_TRACE(name);
    const auto model = load_model(golden_folder(name), {.dtype = at::kFloat});
    if (model->routers().empty()) continue;
    const std::string reason = undivided_experts(*model, world->size());
    if (world->size() == 2) {
      EXPECT_EQ(reason, "");
    }
    if (!reason.empty()) continue;
    ++families;
    const at::NoGradGuard no_gradient;
    const Packed prompt = pack({{1, 2, 3, 4}, {5, 6}});
    const Tensor expected = model->hidden(Pass(prompt));
    ShardingOptions options;
    options.expert_parallel_size = world->size();
    const auto layers = divided_layers(groups_of_model(*model, *world, options, "it"),
                                       WeightSource::gathered, "the model");
    take_over(*model, layers.get());
    const WithWeights scope(layers.get());
    EXPECT_LT((model->hidden(Pass(prompt)) - expected).abs().max().item<double>(), 1e-4);
  }
  EXPECT_GE(families, world->size() == 2 ? 9 : 1);
}

// Prevents an expert whose output is added by every rank or by none, and completions that depend on
// who has which expert.
TEST_F(DISABLED_Experts, WriteLikeOne) {
  if (world->size() == 3) return;  // do not divide the heads
  for (const char* family : {"mixtral", "qwen3_moe", "deepseek_v3", "gpt_oss"}) {
    SCOPED_TRACE(family);
    const auto model = random_model(config_of(family), 3);
    if (!model->undivided(world->size()).empty()) continue;
    const std::vector<Request> asked = {{{3}, 0}, {{5, 7, 9, 11}, 1}, {{4, 8}, 2}};
    EngineOptions engine{.batch = 2, .seed = 8};
    engine.sampling.max_new_tokens = 9;
    const std::vector<Completion> one = generate(*model, asked, engine);
    const auto layers = student_layers(*model, *world, divided(ZeroStage::weights));
    take_over(*model, layers.get());
    engine.ranks = world;
    const WritingStudent writer(*model, layers.get(), world);
    const std::vector<Completion> many = generate(*writer, asked, engine);
    for (size_t i = 0; i < one.size(); ++i) EXPECT_EQ(one[i].tokens, many.at(i).tokens);
  }
}

// Bytes of experts' numbers that a model keeps in this process, those of copies once.
double bytes_of_experts(Model& model) {
  std::set<const void*> seen;
  double bytes = 0;
  model.visit([&](const std::string& name, const Tensor& tensor) {
    if (!is_of_experts(name) || !seen.insert(tensor.const_data_ptr()).second) return;
    bytes += std::min(static_cast<double>(tensor.nbytes()),
                      static_cast<double>(tensor.storage().nbytes()));
  });
  return bytes;
}

// Prevents a rank that keeps, or gets for a pass or to write, more than its own experts.
TEST_F(DISABLED_Experts, HaveTheirShareAlone) {
  for (const char* family : {"mixtral", "gpt_oss"}) {
    SCOPED_TRACE(family);
    const auto model = random_model(config_of(family), 3);
    const double all = bytes_of_experts(*model);
    const int64_t parameters = model->parameters();
    const auto layers = student_layers(*model, *world, divided(ZeroStage::weights));
    take_over(*model, layers.get());
    // Of other ranks' tensors one number each keeps the shape.
    const double share = all / static_cast<double>(world->size()), hollow = 2 * 12 * 3 * 4;
    const auto expect_share = [&](Model& of) {
      EXPECT_GE(bytes_of_experts(of), share);
      EXPECT_LE(bytes_of_experts(of), share + hollow);
    };
    expect_share(*model);
    EXPECT_EQ(whole_parameters(*model, layers.get()), parameters);  // in a run's record
    const auto weights = [&] { return world->received().at("whole weights of the student"); };
    const double received = weights();  // of the prompt that looks whether they arrive
    const Packed prompt = pack({{1, 2, 3}});
    {
      const WithWeights scope(layers.get());
      const at::NoGradGuard no_grad;
      model->hidden(Pass(prompt));
    }
    EXPECT_LE(layers->most_bytes(), 2 * layers->largest_layer_bytes());
    if (model->undivided(world->size()).empty()) {
      const std::unique_ptr<Model> part = model->part(world, layers.get());
      expect_share(*part);
    }
    expect_share(*model);
    EXPECT_EQ(weights(), received);
    layers->hold();
    EXPECT_EQ(bytes_of_experts(*model), all);
    layers->let_go();
    expect_share(*model);
  }
}

// Prevents a checkpoint that has the experts of some ranks, or one's in another's place.
TEST_F(DISABLED_Experts, AreSavedForAnyNumberOfRanks) {
  const TemporaryFolder own;
  const fs::path folder = world->from_first(own.path().string(), "naming a folder");
  for (const char* family : {"mixtral", "gpt_oss"}) {
    SCOPED_TRACE(family);
    const auto trained = [&](uint64_t seed) {
      auto model = random_model(config_of(family), seed);
      model->set_trainable(true);
      return model;
    };
    const auto one = trained(1), other = trained(9), third = trained(7);
    const auto layers = student_layers(*one, *world, divided(ZeroStage::weights));
    take_over(*one, layers.get());
    AdamW many(*one, {}, {}, world, layers), here(*other, {});
    save_checkpoint(folder / family, many, {.step = 1}, 1);
    world->wait_for_all("saving");
    ASSERT_TRUE(load_checkpoint(folder / family, here));
    EXPECT_EQ(difference(*trained(1), *other), 0);
    const auto layers_of_third = student_layers(*third, *world, divided(ZeroStage::gradients));
    take_over(*third, layers_of_third.get());
    AdamW again(*third, {}, {}, world, layers_of_third);
    if (world->leads()) save_checkpoint(folder / "alone" / family, here, {.step = 1}, 1);
    world->wait_for_all("saving");
    ASSERT_TRUE(load_checkpoint(folder / "alone" / family, again));
    layers_of_third->hold();
    EXPECT_EQ(difference(*other, *third), 0);
    world->wait_for_all("reading");
  }
}

// Prevents a token that is sent to a rank twice, for two of its experts, or to ranks that have none
// of them: what a rank receives is what the router has chosen.
TEST_F(DISABLED_Experts, SendWhatTheFormulaSays) {
  const auto model = random_model(config_of("deepseek_v3"), 3);
  Router& router = *model->routers().front();
  const int64_t experts = router.options.experts;
  Moe block({.width = 24, .inner = 8}, router.options);
  block.visit("", [&](const std::string& name, Tensor& tensor) {
    // The same on every rank.
    tensor = (at::arange(tensor.numel(), at::kDouble).pow(1.5) + static_cast<double>(name.size()))
                 .sin()
                 .to(at::kFloat)
                 .view(tensor.sizes());
  });
  const int64_t rank = world->rank(), tokens = 3 + 2 * rank;
  const Tensor x_ND = (at::arange(tokens * 24, at::kDouble) + 100 * static_cast<double>(rank))
                          .pow(1.7)
                          .cos()
                          .to(at::kFloat)
                          .view({tokens, 24})
                          .set_requires_grad(true);
  const std::vector<std::vector<int32_t>> ids = {
      std::vector<int32_t>(static_cast<size_t>(tokens), 1)};
  const Packed packed = pack(ids);
  const Pass pass(packed);
  const Tensor expected = block.forward(x_ND, pass);
  const auto ranks = std::make_shared<ExpertRanks>(ExpertRanks{.world = world});
  block.router.ranks = ranks;
  std::map<std::string, double> before = world->received();
  const Tensor found = block.forward(x_ND, pass);
  EXPECT_LT((found - expected).abs().max().item<double>(),
            1e-6 * std::max(1.0, expected.abs().max().item<double>()));
  found.sum().backward();
  // Tokens of this rank for each rank, told to all.
  const int64_t each = experts / world->size();
  const Tensor owner = block.router(x_ND, pass).experts_NK.floor_divide(each);
  std::vector<int64_t> rows(static_cast<size_t>(world->size() * world->size()), 0);
  for (int64_t to = 0; to < world->size(); ++to) {
    rows[static_cast<size_t>(rank * world->size() + to)] =
        (owner == to).any(-1).sum().item<int64_t>();
  }
  rows = world->sum(rows, "telling rows");
  double elsewhere = 0, from_others = 0;
  for (int64_t other = 0; other < world->size(); ++other) {
    if (other == rank) continue;
    elsewhere += static_cast<double>(rows[static_cast<size_t>(rank * world->size() + other)]);
    from_others += static_cast<double>(rows[static_cast<size_t>(other * world->size() + rank)]);
  }
  EXPECT_GT(elsewhere, 0);
  const auto received = [&](const char* doing) {
    return world->received().at(doing) - before[doing];
  };
  // Rows and then their outputs' gradients come here; outputs and then gradients come back.
  EXPECT_DOUBLE_EQ(received(sending_rows), 2 * from_others * 24 * 4);
  EXPECT_DOUBLE_EQ(received(returning_rows), 2 * elsewhere * 24 * 4);
  // Weights come here with the rows, and their gradients come back.
  EXPECT_DOUBLE_EQ(received(sending_weights),
                   (from_others + elsewhere) * 4 * static_cast<double>(each));
  EXPECT_DOUBLE_EQ(received(counting_rows), 8.0 * static_cast<double>(world->size() - 1));
}

// Prevents a teacher that grades otherwise where its experts are divided, and a rank without rows
// that leaves the others waiting.
TEST_F(DISABLED_Experts, GradeTheSame) {
  const std::vector<Request> requests = {{{3, 5}, 0}, {{7}, 1}};
  const std::vector<Completion> completions = {{.tokens = {21, 22, 1}, .logp = {0, 0, 0}},
                                               {.tokens = {30, 31}, .logp = {0, 0}}};
  const Rollouts rollouts = to_rollouts(requests, completions, 0, at::kCPU);
  const auto model = [&] {
    auto made = random_model(config_of("deepseek_v3"), 2, 1.5);
    made->set_trainable(false);
    return made;
  };
  const LocalTeacher resident(model(), 50);
  const Tensor expected = hidden_states(resident.evaluate(rollouts)).hidden_MD;
  std::unique_ptr<Model> shared = model();
  ShardingOptions options;
  options.expert_parallel_size = world->size();
  const auto layers = divided_layers(groups_of_model(*shared, *world, options, "the teacher"),
                                     WeightSource::gathered, "the teacher");
  take_over(*shared, layers.get());
  const LocalTeacher teacher(std::move(shared), 50, {}, layers);
  if (world->leads()) {
    for (int64_t i = 0; i < 2; ++i) {
      const Tensor found = hidden_states(teacher.evaluate(rollouts)).hidden_MD;
      EXPECT_LT((found - expected).abs().max().item<double>(), 1e-5);
    }
  } else {
    accompany(2, nullptr, {layers});
  }
}

// Prevents an option that divides nothing without a word, and a run that ends as its first pass
// begins.
TEST(ExpertParallel, RefusesWhatCannotBe) {
  const auto experts = random_model(golden_config("mixtral"), 1);  // four
  const auto dense = random_model(small_llama_config(), 1);
  const auto expect_refused = [](Model& student, const std::map<std::string, Model*>& teachers,
                                 const ShardingOptions& options, const std::string& why) {
    std::string told;
    try {
      check_expert_parallel(student, teachers, options);
    } catch (const Error& error) {
      EXPECT_EQ(error.exit(), Exit::input);
      told = error.what();
    }
    EXPECT_NE(told.find(why), std::string::npos) << told;
  };
  ShardingOptions options{.stage = ZeroStage::weights, .expert_parallel_size = 2};
  check_expert_parallel(*experts, {}, options);
  check_expert_parallel(*dense, {{"T", experts.get()}}, options);
  expect_refused(*dense, {{"T", dense.get()}}, options,
                 "neither the student nor a sharded teacher has routed experts");
  options.expert_parallel_size = 3;
  expect_refused(*experts, {}, options,
                 "--expert-parallel-size 3: the experts of the student cannot be divided so: its "
                 "layers have 4 experts");
  expect_refused(*dense, {{"T", experts.get()}}, options, "the experts of T cannot be divided so");
  options.expert_parallel_size = 4;
  options.tensor_parallel_size = 2;
  expect_refused(*experts, {}, options, "is not --tensor-parallel-size 2");
  options.shard_size = 2;
  expect_refused(*experts, {}, options, "is not --shard-size 2");
  expect_refused(*experts, {}, {.expert_parallel_size = 2},
                 "has no effect: every rank has the whole student");
}

TEST(ExpertParallel, TwoRanksAreLikeOne) {
  EXPECT_EQ(run_ranks(2, "DISABLED_Experts.*-*InEveryWay").exit_code, 0);
}

TEST(ExpertParallelSlow, TwoToFourRanksAreLikeOne) {
  EXPECT_EQ(run_ranks(2, "DISABLED_Experts.*InEveryWay").exit_code, 0);
  EXPECT_EQ(run_ranks(3, "DISABLED_Experts.*").exit_code, 0);
  EXPECT_EQ(run_ranks(4, "DISABLED_Experts.*").exit_code, 0);
}

}  // namespace
}  // namespace alambic::expert_parallel_test
