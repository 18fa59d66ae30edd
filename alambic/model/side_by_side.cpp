#include "alambic/model/side_by_side.h"

#include <map>

#include "alambic/nn/joint_linear.h"
#include "alambic/tensor/device.h"

namespace alambic {

namespace {

// Names of modules of one parent that read one input.
const std::vector<std::vector<std::string>> kOfOneInput = {{"q_proj", "k_proj", "v_proj"},
                                                           {"gate_proj", "up_proj"}};

// The maps of all experts of a layer: gates and ups, which read one input, and downs.
struct ExpertMaps {
  std::vector<Linear*> inner, down;
};

void lay_experts(Model& model) {
  std::map<std::string, ExpertMaps> by_layer;
  model.visit(TensorVisitor::of_expert_linears([&](const std::string& name, Linear& map) {
    const size_t end = name.find(".experts.");
    if (end == std::string::npos) return;
    ExpertMaps& maps = by_layer[name.substr(0, end)];
    const bool is_down = name.ends_with(".down_proj") || name.ends_with(".w2");
    (is_down ? maps.down : maps.inner).push_back(&map);
  }));
  for (const auto& [layer, maps] : by_layer) {
    lay_side_by_side(maps.inner);
    lay_side_by_side(maps.down);
  }
}

}  // namespace

void lay_side_by_side(Model& model) {
  const at::Device device = model.options().device();
  if (device.is_cpu() || device.is_meta()) return;
  std::map<std::string, Linear*> maps;
  model.visit_linears([&](const std::string& name, Linear& map) { maps[name] = &map; });
  for (const auto& [name, map] : maps) {
    for (const std::vector<std::string>& modules : kOfOneInput) {
      if (!name.ends_with("." + modules.front()) || name.find(".experts.") != name.npos) continue;
      const std::string parent = name.substr(0, name.size() - modules.front().size());
      std::vector<Linear*> together;
      for (const std::string& module : modules) {
        const auto found = maps.find(parent + module);
        if (found != maps.end()) together.push_back(found->second);
      }
      if (together.size() == modules.size()) lay_side_by_side(together);
    }
  }
  lay_experts(model);
  release_cached_memory(device);
}

}  // namespace alambic
