// Models that no device holds: each rank's has its part of the layers from the beginning.
#include <gtest/gtest.h>

#include "alambic/base/files.h"
#include "alambic/base/launch_environment.h"
#include "alambic/base/temporary_folder.h"
#include "alambic/dist/layer_stream.h"
#include "alambic/jobs/sharding.h"
#include "alambic/jobs/student.h"
#include "alambic/model/load.h"
#include "alambic/model/tiny.h"
#include "alambic/nn/layer_of_name.h"
#include "alambic/nn/linear.h"
#include "alambic/nn/recompute.h"
#include "alambic/tensor/device.h"
#include "tests/device/test_device.h"
#include "tests/dist/rank_processes.h"

namespace alambic::divided_models_test {
namespace {

Json deep_config() {
  Json config = small_llama_config();
  config["hidden_size"] = 256;
  config["intermediate_size"] = 400;
  config["num_hidden_layers"] = 8;
  config["vocab_size"] = 60;
  return config;
}

double bytes_of(Model& model) { return 4.0 * static_cast<double>(model.parameters()); }

// Prevents a teacher of which the ranks' devices hold a part each from being whole on each of them
// as it is loaded.
TEST(DividedModels, AreNeverWholeOnADevice) {
  EXPECT_EQ(run_ranks(2, "DISABLED_DividedModel.IsReadLayerByLayer").exit_code, 0);
}

TEST(DISABLED_DividedModel, IsReadLayerByLayer) {
  const World world(launch_environment(), 60);
  const TemporaryFolder folder;
  const auto made = random_model(deep_config(), 3);
  save_model(*made, folder.path() / "model", Json());
  const std::vector<int32_t> tokens = {3, 5, 7, 11};
  const Packed input = pack({tokens}, test_device());
  const at::NoGradGuard no_grad;
  Tensor expected;
  {
    const auto whole = load_model(folder.path() / "model", {.device = test_device()});
    expected = whole->hidden(Pass(input)).cpu();
  }
  release_cached_memory(test_device());
  reset_peak_memory(test_device());
  const double before = peak_memory(test_device());
  const auto layers = divided_layers(shard_groups(world, 0), WeightSource::gathered, "the teacher");
  const auto model =
      load_model(folder.path() / "model", {.device = test_device(), .layers = layers.get()});
  const double loaded = peak_memory(test_device()) - before;
  EXPECT_GT(loaded, 0.5 * bytes_of(*model));
  EXPECT_LT(loaded, 0.6 * bytes_of(*model));
  take_over(*model, layers.get());
  const WithWeights scope(layers.get());
  const Tensor found = model->hidden(Pass(input)).cpu();
  EXPECT_LT((found - expected).abs().max().item<double>(), is_simulated() ? 1e-6 : 1e-3);
  // And two layers beside the part, with a pass's numbers.
  EXPECT_LT(peak_memory(test_device()) - before, 0.9 * bytes_of(*model));
}

// Prevents a student with an adapter from being whole on each device as it is loaded, and as it is
// written with what it has learned.
TEST(DividedModels, AreNeverWholeBesideAnAdapter) {
  EXPECT_EQ(run_ranks(2, "DISABLED_DividedModel.IsReadBesideAnAdapter").exit_code, 0);
}

// As if it had been learned.
void fill_adapters(Model& model, LayerWeights* layers) {
  const at::NoGradGuard no_grad;
  LayerStream stream(layers, LayerStream::Readers::all);
  model.visit_linears([&](const std::string& module, Linear& linear) {
    if (!linear.lora) return;
    stream.at(layer_of_name(module));
    linear.lora->b_ER.fill_(0.01 * static_cast<double>(linear.lora->index + 1));
  });
}

void expect_read_beside_an_adapter(const World& world, bool dora, double share) {
  const TemporaryFolder folder;
  const std::string source = folder.path() / "model";
  save_model(*random_model(deep_config(), 3), source, Json());
  TrainableOptions what;
  what.lora = {.rank = 2, .modules_to_save = {"input_layernorm"}, .dora = dora};
  const auto load = [&](LayerWeights* layers) {
    const LoadOptions options{.device = test_device(), .frozen = true, .layers = layers};
    auto model = load_model(source, load_for(what, options));
    select_trained(*model, what, 1, layers);
    return model;
  };
  const auto written = [&](Model& model, const std::string& name, LayerWeights* layers) {
    const fs::path to = folder.path() / name;
    save_adapter(model, what.lora, "base", to, layers);
    save_model(model, to, Json(), {}, layers);
    return read_file(to / "adapter_model.safetensors") + read_file(to / "model.safetensors");
  };
  std::string expected;
  {
    const auto one = load(nullptr);
    fill_adapters(*one, nullptr);
    expected = written(*one, "one", nullptr);
  }
  release_cached_memory(test_device());
  reset_peak_memory(test_device());
  const double before = peak_memory(test_device());
  const auto layers = divided_layers(shard_groups(world, 0), WeightSource::gathered, "the student");
  const auto student = load(layers.get());
  const double all = bytes_of(*student);
  EXPECT_LT(peak_memory(test_device()) - before, share * all);
  take_over(*student, layers.get());
  fill_adapters(*student, layers.get());
  if (world.leads()) {
    EXPECT_TRUE(expected == written(*student, "divided", layers.get()));
  } else {
    accompany_export(layers.get(), what);
  }
  EXPECT_LE(layers->most_bytes(), 2 * layers->largest_layer_bytes());
  EXPECT_LT(peak_memory(test_device()) - before, 0.95 * all);
}

TEST(DISABLED_DividedModel, IsReadBesideAnAdapter) {
  const World world(launch_environment(), 60);
  expect_read_beside_an_adapter(world, /*dora=*/false, 0.6);
  expect_read_beside_an_adapter(world, /*dora=*/true, 0.8);  // one layer is whole for its norms
}

}  // namespace
}  // namespace alambic::divided_models_test
