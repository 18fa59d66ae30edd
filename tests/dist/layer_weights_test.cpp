// Layers whose weights are on several ranks: a step is that of one process, bit for bit where
// nothing is learned, and at most two layers are whole at a time.
#include "alambic/dist/layer_weights.h"

#include <gtest/gtest.h>

#include "alambic/base/error.h"
#include "alambic/base/files.h"
#include "alambic/base/temporary_folder.h"
#include "alambic/jobs/preflight/model_sizes.h"
#include "alambic/model/load.h"
#include "alambic/nn/recompute.h"
#include "alambic/scale/traffic.h"
#include "alambic/teacher/local.h"
#include "alambic/train/best_weights.h"
#include "tests/dist/learned.h"
#include "tests/dist/rank_processes.h"

namespace alambic::layer_weights_test {
namespace {

Json deep_llama() {
  Json config = small_llama_config();
  config["num_hidden_layers"] = 5;
  return config;
}

// Prevents gradients of a part of the ranks, of a part of the layers, or of an expert to which no
// token came on one rank; weights that are an older step's; all layers whole at a time.
TEST(Layers, LearnLikeOneProcess) {
  EXPECT_EQ(run_ranks(2, "DISABLED_Rank.LearnsLikeOne").exit_code, 0);
}

TEST(LayersSlow, OfThreeAndFourRanksLearnLikeOneProcess) {
  EXPECT_EQ(run_ranks(3, "DISABLED_Rank.LearnsLikeOne").exit_code, 0);
  EXPECT_EQ(run_ranks(4, "DISABLED_Rank.LearnsLikeOne").exit_code, 0);
}

TEST(DISABLED_Rank, LearnsLikeOne) {
  at::set_num_threads(1);
  const auto world = std::make_shared<const World>(launch_environment(), 60);
  TrainableOptions adapter;
  adapter.lora.rank = 2;
  const ShardingOptions two{.stage = ZeroStage::gradients}, three{.stage = ZeroStage::weights};
  expect_like_one("gradients", deep_llama(), {}, world, two);
  expect_like_one("weights", deep_llama(), {}, world, three);
  expect_like_one("adapter", deep_llama(), adapter, world, three);
  expect_like_one("experts", golden_config("mixtral"), {}, world, three);
  expect_like_one("DeepSeek", golden_config("deepseek_v3"), {}, world, three);
  // Two copies, or each rank its own.
  ShardingOptions mesh = three;
  mesh.shard_size = world->size() == 4 ? 2 : 1;
  expect_like_one("copies", deep_llama(), {}, world, mesh);
}

// Prevents a message that is sent twice, or that the plan of `check --world-size` forgets: bytes
// are counted where they are received.
TEST(Layers, ReceiveWhatTheFormulaSays) {
  EXPECT_EQ(run_ranks(2, "DISABLED_Rank.ReceivesWhatTheFormulaSays").exit_code, 0);
}

// Sizes of the rows as they are sent: with what lies between tensors.
ModelSizes sizes_as_sent(const LayerWeights& layers) {
  ModelSizes sizes{.layers = static_cast<double>(layers.layers())};
  for (const auto& group : layers.groups()) {
    const auto count = static_cast<double>(group->count());
    sizes.parameters += count;
    sizes.trained += count;
    if (group->comes_and_goes()) continue;
    sizes.outside += count;
    sizes.trained_outside += count;
  }
  return sizes;
}

TEST(DISABLED_Rank, ReceivesWhatTheFormulaSays) {
  at::set_num_threads(1);
  const auto world = std::make_shared<const World>(launch_environment(), 60);
  const Trained trained =
      learn(deep_llama(), {}, world, ShardingOptions{.stage = ZeroStage::weights});
  ScaleJob job{.student = sizes_as_sent(*trained.layers),
               .work = {.micro_passes = 3, .element = 4},  // of five sequences on two ranks
               .layout = {.devices = 2, .zero_stage = 3, .shard = 2}};
  std::map<std::string, double> received = world->received();
  double counted = 0, expected = 0;
  for (const Traffic& message : traffic_of(job)) {
    const bool once = message.name == "weights for completions";  // held at the end
    const std::string name = once                              ? "whole weights"
                             : message.name == "other weights" ? "sharing updated weights"
                                                               : message.name;
    // Of three micro-passes forward and back; one forward looked whether the weights arrive.
    const double canary = name == "weights for learning" ? message.bytes / 6 : 0;
    const double bytes = (once ? 1 : 3) * message.bytes + canary;
    EXPECT_DOUBLE_EQ(received[name + " of the student"], bytes) << name;
    expected += bytes;
  }
  for (const auto& [doing, bytes] : received) {
    if (doing.ends_with(" of the student")) counted += bytes;
  }
  EXPECT_DOUBLE_EQ(counted, expected);
}

// Prevents a teacher that grades otherwise where it does not fit, and one that is changed on its
// way and grades on.
TEST(Layers, OfATeacherGradeTheSame) {
  EXPECT_EQ(run_ranks(2, "DISABLED_Rank.GradesTheSame").exit_code, 0);
}

TEST(DISABLED_Rank, GradesTheSame) {
  const auto world = std::make_shared<const World>(launch_environment(), 60);
  const std::vector<Request> requests = {{{3, 5}, 0}, {{7}, 1}};
  const std::vector<Completion> completions = {{.tokens = {21, 22, 1}, .logp = {0, 0, 0}},
                                               {.tokens = {30, 31}, .logp = {0, 0}}};
  const Rollouts rollouts = to_rollouts(requests, completions, 0, at::kCPU);
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    const auto model = [&] {
      auto made = random_model(deep_llama(), 2, 1.5, dtype);
      made->set_trainable(false);
      return made;
    };
    const LocalTeacher resident(model(), 50);
    const Tensor expected = hidden_states(resident.evaluate(rollouts)).hidden_MD;
    for (const WeightSource source : {WeightSource::gathered, WeightSource::host}) {
      std::unique_ptr<Model> shared = model();
      const ShardGroups groups = source == WeightSource::host
                                     ? ShardGroups{.shard = std::make_shared<World>()}
                                     : shard_groups(*world, 0);
      const auto layers = divided_layers(groups, source, "the teacher");
      take_over(*shared, layers.get());
      const LocalTeacher teacher(std::move(shared), 50, {}, layers);
      EXPECT_TRUE(expected.equal(hidden_states(teacher.evaluate(rollouts)).hidden_MD));
      EXPECT_EQ(layers->most_bytes(), 2 * layers->largest_layer_bytes());
      if (source == WeightSource::host) continue;
      Tensor part = layers->groups().back()->part();
      part.view(at::kByte)[0] += world->rank();
      try {
        teacher.evaluate(rollouts);
        ADD_FAILURE();
      } catch (const Error& error) {
        EXPECT_EQ(error.exit(), Exit::environment);
        EXPECT_NE(std::string(error.what()).find("layer 5 of the teacher arrived changed"),
                  std::string::npos)
            << error.what();
      }
      layers->leave(3);  // where the pass ended
      layers->leave(4);
    }
  }
}

// Prevents a model that has to fit in one device, or in one process, before its layers are divided.
TEST(LayerWeights, AreReadLayerByLayer) {
  EXPECT_EQ(run_ranks(2, "DISABLED_Rank.ReadsItsPartOfEachLayer").exit_code, 0);
}

TEST(DISABLED_Rank, ReadsItsPartOfEachLayer) {
  const auto world = std::make_shared<const World>(launch_environment(), 60);
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "model";
  save_model(*random_model(deep_llama(), 3), path, Json());
  const std::vector<int32_t> tokens = {3, 5, 7, 11};
  const Packed input = pack({tokens}, at::kCPU);
  const auto whole = load_model(path, {});
  const Tensor expected = whole->hidden(Pass(input));
  for (const bool trainable : {false, true}) {
    const auto layers =
        divided_layers(shard_groups(*world, 0), WeightSource::gathered, "the student");
    const auto model = load_model(path, {.trainable = trainable, .layers = layers.get()});
    // Nobody has had a whole layer yet but the one that was read.
    EXPECT_EQ(layers->most_bytes(), 0);
    ASSERT_EQ(std::ssize(layers->groups()), 5);
    for (const auto& group : layers->groups()) {
      EXPECT_FALSE(group->here());
      EXPECT_EQ(2 * group->part().numel(), group->count());
      for (int64_t i = 0; i < group->size(); ++i) {
        EXPECT_LE(group->tensor(i).storage().nbytes(), 8U);
        EXPECT_EQ(group->tensor(i).requires_grad(), trainable);
      }
    }
    take_over(*model, layers.get());
    const WithWeights scope(layers.get());
    const at::NoGradGuard no_grad;
    EXPECT_TRUE(expected.equal(model->hidden(Pass(input))));
  }
}

// Prevents a student that has to be whole on a rank to be written at the end of its run.
TEST(LayerWeights, AreWrittenLayerByLayer) {
  EXPECT_EQ(run_ranks(2, "DISABLED_Rank.WritesItsModel").exit_code, 0);
}

// A model of this configuration as one process and as ranks that divide it write it.
void expect_written_alike(const Json& config, const std::shared_ptr<const World>& world,
                          bool divides_experts) {
  const auto whole = random_model(config, 3), model = random_model(config, 3);
  ShardGroups groups = shard_groups(*world, 0);
  groups.divides_experts = divides_experts;
  const auto layers = divided_layers(groups, WeightSource::gathered, "the student");
  take_over(*model, layers.get());
  if (!world->leads()) return layers->follow_stream();
  const TemporaryFolder folder;
  save_model(*whole, folder.path() / "whole", Json());
  save_model(*model, folder.path() / "divided", Json(), {}, layers.get());
  if (!divides_experts) {
    EXPECT_LE(layers->most_bytes(), 2 * layers->largest_layer_bytes());
  }
  for (const auto& group : layers->groups()) EXPECT_EQ(group->here(), !group->comes_and_goes());
  const std::string file = "model.safetensors";
  EXPECT_TRUE(read_file(folder.path() / "whole" / file) ==
              read_file(folder.path() / "divided" / file));
}

// Layers that are read in the order of their names: the twelfth before the third. Experts of one
// tensor, of which a rank has some rows.
TEST(DISABLED_Rank, WritesItsModel) {
  const auto world = std::make_shared<const World>(launch_environment(), 60);
  Json twelve = deep_llama();
  twelve["num_hidden_layers"] = 12;
  expect_written_alike(twelve, world, false);
  expect_written_alike(golden_config("gpt_oss"), world, true);
}

// Prevents a student that is whole on every rank as soon as a validation is the best so far.
TEST(LayerWeights, AreKeptLayerByLayerWhereTheyAreTheBest) {
  EXPECT_EQ(run_ranks(2, "DISABLED_Rank.KeepsItsBestWeights").exit_code, 0);
}

TEST(DISABLED_Rank, KeepsItsBestWeights) {
  const auto world = std::make_shared<const World>(launch_environment(), 60);
  const auto whole = random_model(deep_llama(), 3), model = random_model(deep_llama(), 3);
  for (const auto& student : {whole.get(), model.get()}) student->set_trainable(true);
  const auto layers =
      divided_layers(shard_groups(*world, 0), WeightSource::gathered, "the student");
  take_over(*model, layers.get());
  const TemporaryFolder folder;
  const TrainingOptions options{.load_best = true};
  const auto kept = [&](const AdamW& optimizer, const std::string& name) {
    BestWeights best(options, folder.path() / name, optimizer.world());
    best.see(1, {{"valid_loss", 0.5}}, optimizer);
    return best.so_far()->sha256;
  };
  const std::string divided = kept(AdamW(*model, {}, {}, world, layers), "divided");
  EXPECT_LE(layers->most_bytes(), 2 * layers->largest_layer_bytes());
  if (world->leads()) {
    EXPECT_EQ(divided, kept(AdamW(*whole, {}), "whole"));
  }
}

}  // namespace
}  // namespace alambic::layer_weights_test
