#include "alambic/model/cut_layers.h"

#include <cmath>

#include "alambic/base/error.h"
#include "alambic/io/tensor_view.h"
#include "alambic/model/families.h"
#include "alambic/model/kept_layers.h"
#include "alambic/model/load.h"

namespace alambic {

namespace {

// "model.layers.3.mlp…" with its number replaced; names without a number stay.
std::string with_layer(const std::string& name, const std::vector<int64_t>& kept) {
  for (size_t begin = name.find('.'); begin != std::string::npos;
       begin = name.find('.', begin + 1)) {
    const size_t end = name.find('.', begin + 1);
    const std::string part = name.substr(begin + 1, end - begin - 1);
    if (!part.empty() && part.find_first_not_of("0123456789") == std::string::npos) {
      const int64_t source = kept.at(std::stoul(part));
      return name.substr(0, begin + 1) + std::to_string(source) + name.substr(end);
    }
  }
  return name;
}

// The first and the last layer, and evenly between.
std::vector<int64_t> evenly_spaced(int64_t kept, int64_t all) {
  std::vector<int64_t> layers;
  for (int64_t i = 0; i < kept; ++i) {
    layers.push_back(kept == 1 ? 0
                               : std::llround(static_cast<double>(i * (all - 1)) /
                                              static_cast<double>(kept - 1)));
  }
  return layers;
}

}  // namespace

std::unique_ptr<Model> cut_model(const std::string& source, int64_t layers, const Widths& widths) {
  const std::unique_ptr<Model> whole = load_model(source, {});
  const int64_t all = whole->shape().cache.layers;
  if (layers > all) {
    throw input_error("cannot keep {} layers: {} has {}", layers, source, all);
  }
  std::map<std::string, Tensor> tensors;
  whole->visit([&](const std::string& name, Tensor& tensor) { tensors[name] = tensor; });
  Json config = whole->config;
  if (layers == 0) layers = all;
  if (widths.any()) cut_width(tensors, config, widths, source);
  const std::vector<int64_t> kept = evenly_spaced(layers, all);
  keep_layers(config, source + "/config.json", whole->layer_count_key(), all, kept);
  std::unique_ptr<Model> model = make_model(config, source + "/config.json");
  model->visit([&](const std::string& name, Tensor& tensor) {
    const auto found = tensors.find(with_layer(name, kept));
    if (found == tensors.end()) {
      throw input_error(
          "cannot keep {} layers of {}: its layers are of different kinds, and there "
          "is no {} for {}",
          layers, source, with_layer(name, kept), name)
          .with_hint("keep all layers, or another number of them");
    }
    // As of the embeddings for each layer that Gemma 4's small models have.
    if (tensor.sizes() != found->second.sizes()) {
      throw input_error("cannot keep {} layers of {}: its {} has the shape {}, which would be {}",
                        layers, source, found->first, shape_text(found->second.sizes().vec()),
                        shape_text(tensor.sizes().vec()))
          .with_hint("keep all layers, or another number of them");
    }
    tensor = found->second;
  });
  return model;
}

}  // namespace alambic
