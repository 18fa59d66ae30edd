#include <algorithm>
#include <map>
#include <set>

#include "alambic/dist/layer_stream.h"
#include "alambic/io/model_folder.h"
#include "alambic/model/load.h"
#include "alambic/nn/dense_parts.h"
#include "alambic/nn/layer_of_name.h"
#include "alambic/tensor/view.h"

namespace alambic {

namespace {

// Linear maps that have an adapter by the names of their weights, and the adapters' own tensors.
struct Adapted {
  std::map<std::string, const Linear*> maps;
  std::set<std::string> tensors;

  explicit Adapted(Model& model) {
    model.visit_linears([this](const std::string& module, Linear& linear) {
      if (!linear.lora) return;
      maps[module + ".weight"] = &linear;
      linear.lora->visit(module,
                         [this](const std::string& name, Tensor&) { tensors.insert(name); });
    });
  }
};

}  // namespace

void save_model(Model& model, const std::filesystem::path& folder, const Json& generation_config,
                std::optional<at::ScalarType> dtype, LayerWeights* layers) {
  const at::ScalarType type = dtype.value_or(model.options().dtype().toScalarType());
  const Adapted adapted(model);
  LayerStream stream(layers);
  std::vector<TensorSource> tensors;
  model.visit([&](const std::string& name, const Weight& weight) {
    if (adapted.tensors.contains(name)) return;
    const at::ScalarType own = model.type_of(name, type);
    const auto map = adapted.maps.find(name);
    const Linear* merged = map == adapted.maps.end() ? nullptr : map->second;
    std::function<Tensor()> make = [&stream, layer = layer_of_name(name), weight, own, merged] {
      stream.at(layer);
      return merged == nullptr ? weight.decoded(own) : merged_weight(*merged);
    };
    std::vector<int64_t> shape = layers == nullptr || weight.is_packed()
                                     ? weight.sizes()
                                     : layers->whole_shape(weight.dense());
    tensors.push_back(source_of(name, own, std::move(shape), std::move(make)));
  });
  if (layers != nullptr) {  // files of some layers each: within one they are read by their names
    std::ranges::stable_sort(tensors, {},
                             [](const TensorSource& tensor) { return layer_of_name(tensor.name); });
  }
  Json config = model.config;
  config.erase("torch_dtype");
  config["dtype"] = at::toString(type) == std::string("BFloat16") ? "bfloat16" : "float32";
  write_model_folder(folder, config, generation_config, tensors);
}

}  // namespace alambic
