// What some steps of next-token training give, whoever has made them.
#pragma once

#include <gtest/gtest.h>

#include "alambic/base/json_object.h"
#include "alambic/jobs/sharding.h"
#include "alambic/jobs/student.h"
#include "alambic/model/tiny.h"
#include "alambic/train/next_token.h"
#include "alambic/train/rank_exchange.h"
#include "alambic/train/router_watch.h"

namespace alambic {

inline const std::vector<std::vector<int32_t>> sequences = {
    {3, 21, 22, 1, 7}, {5, 7, 9}, {4, 8, 30, 31, 32, 33, 1}, {6, 40, 2, 1}, {9, 2, 11, 5, 3}};

// This rank's of the sequences, each a micro-batch: other ranks have one more or fewer.
struct Windows : BatchSource {
  const World& world;

  explicit Windows(const World& world) : world(world) {}
  std::vector<TokenBatch> step(int64_t) override {
    std::vector<TokenBatch> batches;
    const auto count = static_cast<int64_t>(sequences.size());
    for (int64_t i = world.begin(count); i < world.end(count); ++i) {
      batches.push_back(window_batch({sequences[static_cast<size_t>(i)]}, at::kCPU));
    }
    return batches;
  }
  int64_t sequences_per_epoch() const override { return static_cast<int64_t>(sequences.size()); }
};

struct Trained {
  std::unique_ptr<Model> model;
  std::shared_ptr<LayerWeights> layers;
  std::vector<double> norms;
  std::vector<Metrics> balance;  ///< of the routers
};

inline Trained learn(const Json& config, const TrainableOptions& what,
                     const std::shared_ptr<const World>& world, const ShardingOptions& sharding) {
  Trained trained{.model = random_model(config, 1)};
  select_trained(*trained.model, what, 1);
  trained.layers = student_layers(*trained.model, *world, sharding);
  take_over(*trained.model, trained.layers.get());
  const auto task = next_token_task(
      *trained.model, std::make_unique<Windows>(*world),
      {.vocabulary = trained.model->shape().vocabulary, .world = world, .layers = trained.layers});
  // By default Adam makes of a gradient that is rounding alone, as of an adapter that begins with
  // zeros, a whole step.
  AdamW optimizer(*trained.model, {.epsilon = 1e-4}, {}, world, trained.layers);
  const RouterWatch routers(*trained.model);
  for (int64_t step = 0; step < 3; ++step) {
    routers.start();
    task->forward_backward(step, [](const std::string&) {});
    trained.balance.push_back(routers.finish(*world));
    sum_gradients(*world, optimizer);
    trained.norms.push_back(optimizer.gradient_norm());
    optimizer.step(1e-2, 0.5);
  }
  if (trained.layers) trained.layers->hold();
  return trained;
}

inline double difference(Model& one, Model& other) {
  std::vector<Tensor> tensors;
  one.visit([&](const std::string&, Tensor& tensor) { tensors.push_back(tensor); });
  double most = 0;
  size_t i = 0;
  other.visit([&](const std::string&, Tensor& tensor) {
    most = std::max(most, (tensor - tensors[i++]).abs().max().item<double>());
  });
  return most;
}

inline Json golden_config(const std::string& family) {
  return read_json_object(fs::path(ALAMBIC_SOURCE_DIR) / "tests/golden" / family / "config.json");
}

inline void expect_like_one(const std::string& name, const Json& config,
                            const TrainableOptions& what, const std::shared_ptr<const World>& world,
                            const ShardingOptions& sharding) {
  SCOPED_TRACE(name);
  const Trained one = learn(config, what, std::make_shared<World>(), {});
  const Trained many = learn(config, what, world, sharding);
  EXPECT_LT(difference(*one.model, *many.model), 1e-5);
  for (size_t i = 0; i < one.norms.size(); ++i) {
    EXPECT_NEAR(one.norms[i], many.norms[i], 1e-5 * one.norms[i]);
    for (size_t f = 0; f < one.balance[i].size(); ++f) {
      EXPECT_NEAR(one.balance[i][f].second, many.balance[i][f].second, 1e-5);
    }
  }
  EXPECT_LE(many.layers->most_bytes(), 2 * many.layers->largest_layer_bytes());
  EXPECT_EQ(many.layers->most_bytes() > 0, sharding.stage == ZeroStage::weights);
}

}  // namespace alambic
