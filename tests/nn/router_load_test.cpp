// What routers choose, counted: against transformers' load_balancing_loss_func.
#include "alambic/nn/router_load.h"

#include <gtest/gtest.h>

#include "alambic/base/json_object.h"
#include "alambic/model/load.h"
#include "alambic/nn/moe.h"
#include "tests/golden.h"

namespace alambic::router_load_test {
namespace {

std::vector<std::shared_ptr<RouterLoad>> watch(Model& model) {
  std::vector<std::shared_ptr<RouterLoad>> loads;
  for (Router* router : model.routers()) {
    loads.push_back(router->load = std::make_shared<RouterLoad>());
  }
  return loads;
}

// Prevents the mean of the layers' values in place of the value of all layers, micro-batches that
// are averaged, and sampling or grading that is counted as learning.
TEST(RouterLoad, IsTransformersAuxiliaryLoss) {
  const Json expected = read_json_object(golden_folder("load_balance.json"));
  for (const auto& [name, values] : expected.items()) {
    const std::unique_ptr<Model> model = load_model(golden_folder(name), {});
    const Tensor tokens_ST = golden(golden_folder(name) / "golden.safetensors", "tokens");
    const auto loads = watch(*model);
    EXPECT_EQ(loads.size(), name == "qwen3_moe" ? 1 : 2) << name;
    for (const int64_t s : {0, 1}) {
      const Packed input = {.tokens_N = tokens_ST[s], .offsets = {0, 16}};
      model->hidden(Pass(input));
      const at::NoGradGuard no_grad;
      const Packed other = {.tokens_N = at::arange(9, 19), .offsets = {0, 10}};
      model->hidden(Pass(other));
    }
    const LoadBalance found = balance_of(loads);
    EXPECT_NEAR(found.value, values["load_balance"].get<double>(), 1e-6) << name;
    EXPECT_NEAR(found.largest_share, values["largest_expert_share"].get<double>(), 1e-9) << name;
  }
}

TEST(RouterLoad, IsTheExpertsOfATokenWhereAllAreUsedAlike) {
  const auto even = std::make_shared<RouterLoad>(), one = std::make_shared<RouterLoad>();
  even->add(at::arange(8).view({4, 2}) % 4, at::ones({4, 4}));
  EXPECT_NEAR(balance_of({even}).value, 2, 1e-9);
  EXPECT_NEAR(balance_of({even}).largest_share, 0.5, 1e-9);
  const Tensor scores = at::zeros({4, 4});
  scores.select(1, 3).fill_(0.2);
  one->add(at::full({4, 1}, 3, at::kLong), scores);
  EXPECT_NEAR(balance_of({one}).value, 4, 1e-9);
  EXPECT_NEAR(balance_of({one}).largest_share, 1, 1e-9);
  EXPECT_EQ(balance_of({std::make_shared<RouterLoad>()}).value, 0);
}

}  // namespace
}  // namespace alambic::router_load_test
