#include "alambic/jobs/preflight/model_sizes.h"

#include <algorithm>
#include <map>

#include "alambic/model/divided_experts.h"
#include "alambic/nn/layer_of_name.h"
#include "alambic/nn/moe.h"

namespace alambic {

ModelSizes sizes_of(Model& model, const std::string& name, double length) {
  const ModelShape shape = model.shape();
  const Head head = model.head();
  ModelSizes sizes{.name = name,
                   .layers = static_cast<double>(shape.cache.layers),
                   .width = static_cast<double>(shape.width),
                   .vocabulary = static_cast<double>(shape.vocabulary),
                   .cache = static_cast<double>(shape.cache.numel()),
                   .activations = model.saved_activations(length)};
  std::map<int64_t, double> by_layer, rest_of_layer;
  model.visit([&](const std::string& tensor, const Weight& weight) {
    const auto numbers = static_cast<double>(weight.numel());
    const int64_t layer = layer_of_name(tensor);
    by_layer[layer] += numbers;
    const bool apart = is_of_experts(tensor);
    if (!apart) rest_of_layer[layer] += numbers;
    if (apart) sizes.experts += numbers;
    sizes.parameters += numbers;
    if (!weight.requires_grad()) return;
    sizes.trained += numbers;
    if (layer < 0) sizes.trained_outside += numbers;
    if (apart) sizes.trained_experts += numbers;
  });
  for (const auto& [layer, numbers] : by_layer) {
    if (layer < 0) continue;
    sizes.largest_layer = std::max(sizes.largest_layer, numbers);
    sizes.largest_rest = std::max(sizes.largest_rest, rest_of_layer[layer]);
  }
  sizes.outside = by_layer[-1];
  sizes.head = static_cast<double>(head.weight_VD.numel());
  const std::vector<Router*> routers = model.routers();
  if (!routers.empty()) sizes.expert_share = routers.front()->options.share();
  for (const Router* router : routers) {
    sizes.routed += static_cast<double>(router->options.top_k);
  }
  if (undivided_experts(model, 1).empty()) {
    sizes.experts_of_layer = routers.front()->options.experts;
  }
  for (int64_t ranks = 2; ranks <= 64 && model.undivided(ranks).empty(); ranks *= 2) {
    sizes.most_together = ranks;
  }
  return sizes;
}

}  // namespace alambic
