#include "alambic/model/divided_experts.h"

#include <fmt/format.h>

#include "alambic/nn/layer_of_name.h"
#include "alambic/nn/moe.h"
#include "alambic/nn/recompute.h"

namespace alambic {

std::string undivided_experts(Model& model, int64_t ranks) {
  const std::vector<Router*> routers = model.routers();
  if (routers.empty()) return "it has no routed experts";
  for (const Router* router : routers) {
    const int64_t experts = router->options.experts;
    if (experts % ranks != 0) return fmt::format("its layers have {} experts", experts);
  }
  return "";
}

LayerTensor::Division division_of(const std::string& name) {
  if (!is_of_experts(name)) return LayerTensor::Division::none;
  return expert_of_name(name) < 0 ? LayerTensor::Division::by_row
                                  : LayerTensor::Division::by_tensor;
}

namespace {

// A rank's part in the passes of the others.
class Companion {
 public:
  Companion(Model& model, LayerWeights& weights) : model_(model), weights_(weights) {}

  void forward() {
    const Uncounted uncounted(model_);
    const WithWeights scope(&weights_);
    const Packed token = pack({{0}}, model_.options().device());
    hidden_ND_ = model_.hidden(Pass(token));
  }
  void backward() {
    const Uncounted uncounted(model_);  // layers run again
    const Tensor hidden_ND = std::exchange(hidden_ND_, Tensor());
    hidden_ND.backward(at::zeros_like(hidden_ND));
  }

 private:
  // While one lives routers count no tokens.
  struct Uncounted {
    std::vector<Router*> routers;
    std::vector<std::shared_ptr<RouterLoad>> loads;

    explicit Uncounted(Model& model) : routers(model.routers()) {
      for (Router* router : routers) loads.push_back(std::exchange(router->load, nullptr));
    }
    ~Uncounted() {
      for (size_t i = 0; i < routers.size(); ++i) routers[i]->load = loads[i];
    }
    Uncounted(const Uncounted&) = delete;
    Uncounted& operator=(const Uncounted&) = delete;
  };

  Model& model_;
  LayerWeights& weights_;
  Tensor hidden_ND_;
};

}  // namespace

void exchange_tokens(Model& model, LayerWeights& weights, std::shared_ptr<const World> ranks) {
  const auto divided = std::make_shared<ExpertRanks>(ExpertRanks{.world = std::move(ranks)});
  for (Router* router : model.routers()) router->ranks = divided;
  const auto companion = std::make_shared<Companion>(model, weights);
  weights.set_divided({.forward = [companion] { companion->forward(); },
                       .backward = [companion] { companion->backward(); },
                       .hold =
                           [divided](bool whole) {
                             divided->way =
                                 whole ? ExpertRanks::Way::here : ExpertRanks::Way::exchange;
                           }});
}

}  // namespace alambic
