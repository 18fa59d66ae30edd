// The layout of PEFT: adapter_config.json, and adapter_model.safetensors with the tensors of every
// adapter under "base_model.model." and the module's name.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "alambic/base/error.h"
#include "alambic/base/file_system.h"
#include "alambic/base/json_object.h"
#include "alambic/dist/layer_stream.h"
#include "alambic/model/adapter.h"
#include "alambic/model/adapter_fit.h"
#include "alambic/model/adapter_tensors.h"
#include "alambic/nn/dense_parts.h"
#include "alambic/nn/layer_of_name.h"
#include "alambic/tensor/view.h"

namespace alambic {

namespace {

namespace fs = std::filesystem;

constexpr const char* config_name = "adapter_config.json";
const std::string prefix(kAdapterPrefix);

// Module names' last parts where those say the same as the names: shorter, and the usual form.
std::vector<std::string> target_modules(Model& model) {
  std::set<std::string> names, ends, ends_without;
  model.visit_linears([&](const std::string& module, Linear& linear) {
    const std::string end = last_part(module);
    (linear.lora ? ends : ends_without).insert(end);
    if (linear.lora) names.insert(module);
  });
  const bool same =
      std::ranges::none_of(ends, [&](const auto& e) { return ends_without.contains(e); });
  const std::set<std::string>& chosen = same ? ends : names;
  return {chosen.begin(), chosen.end()};
}

bool stored_input_major(Model& model) {
  bool found = false;
  model.visit_linears([&](const std::string&, Linear& linear) {
    found |= linear.lora && linear.layout == WeightLayout::input_major;
  });
  return found;
}

}  // namespace

void save_adapter(Model& model, const LoraOptions& options, const std::string& base,
                  const fs::path& folder, LayerWeights* layers) {
  LayerStream stream(layers);
  std::vector<TensorSource> tensors;
  const auto add = [&](const std::string& name, const Tensor& tensor) {
    const auto make = [&stream, layer = layer_of_name(name), tensor] {
      stream.at(layer);
      return tensor;
    };
    tensors.push_back(source_of(prefix + name, tensor.scalar_type(), tensor.sizes().vec(), make));
  };
  model.visit_linears([&](const std::string& module, Linear& linear) {
    if (linear.lora) linear.lora->visit(module, add);
  });
  check(!tensors.empty(), "save_adapter: the model has none");
  const Json saved = options.modules_to_save.empty() ? Json() : Json(options.modules_to_save);
  if (!saved.is_null()) {  // all that is trained but the adapters
    model.visit(of_dense([&](const std::string& name, Tensor& tensor) {
      if (!tensor.requires_grad() || name.find(".lora_") != std::string::npos) return;
      add(name, tensor);
    }));
  }
  const Json config = {{"base_model_name_or_path", base},
                       {"bias", "none"},
                       {"fan_in_fan_out", stored_input_major(model)},
                       {"inference_mode", true},
                       {"init_lora_weights", true},
                       {"lora_alpha", options.alpha},
                       {"lora_dropout", options.dropout},
                       {"modules_to_save", saved},
                       {"peft_type", "LORA"},
                       {"r", options.rank},
                       {"target_modules", target_modules(model)},
                       {"task_type", "CAUSAL_LM"},
                       {"use_dora", options.dora},
                       {"use_rslora", options.rslora}};
  make_folder(folder);
  write_safetensors(folder / kAdapterWeights, std::move(tensors), {{"format", "pt"}});
  write_file(folder / config_name, config.dump(2) + "\n");
}

void load_adapter(Model& model, const fs::path& folder) {
  AdapterFit adapter(folder);
  Json config = model.config;
  CountLimits limits;
  if (adapter.change(config, limits, model)) {
    throw input_error(
        "cannot load the adapter of {}: it needs a model with a head of its own, or with more "
        "tokens",
        folder.string())
        .with_hint("load the model with it: LoadOptions::adapter");
  }
  adapter.fit(model);
  const at::TensorOptions type = model.options();
  adapter.attach(model, type.device(), type.dtype().toScalarType());
}

}  // namespace alambic
