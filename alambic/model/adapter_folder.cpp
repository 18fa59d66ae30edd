// The layout of PEFT: adapter_config.json, and adapter_model.safetensors with the tensors of every
// adapter under "base_model.model." and the module's name.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "alambic/base/error.h"
#include "alambic/base/file_system.h"
#include "alambic/base/json_object.h"
#include "alambic/model/adapter.h"
#include "alambic/model/config.h"
#include "alambic/nn/linear.h"
#include "alambic/tensor/view.h"

namespace alambic {

namespace {

namespace fs = std::filesystem;

constexpr const char* config_name = "adapter_config.json";
constexpr const char* weights_name = "adapter_model.safetensors";
const std::string prefix = "base_model.model.";

/// Settings of PEFT's that change what an adapter computes and that we do not build.
constexpr const char* unbuilt[] = {"lora_bias",
                                   "alpha_pattern",
                                   "modules_to_save",
                                   "use_qalora",
                                   "use_bdlora",
                                   "layer_replication",
                                   "arrow_config",
                                   "target_parameters",
                                   "trainable_token_indices",
                                   "alora_invocation_tokens"};

bool empty(const Json& value) {
  return value.is_null() || value == Json(false) ||
         ((value.is_object() || value.is_array()) && value.empty());
}

LoraOptions read_config(const fs::path& path) {
  const Json json = read_json_object(path);
  const Config config{{json, path.string()}};
  config.require(config.text("peft_type", "") == "LORA", "peft_type", "\"LORA\"");
  config.require(config.text("bias", "none") == "none", "bias", "\"none\"");
  for (const char* key : unbuilt) {
    config.require(!json.contains(key) || empty(json[key]), key, "nothing");
  }
  LoraOptions options{.rank = config.size("r"), .alpha = config.number("lora_alpha", 8)};
  options.rslora = config.flag("use_rslora", false);
  options.dora = config.flag("use_dora", false);
  return options;
}

// Tensors of an adapter's folder; each is taken once.
struct AdapterFile {
  fs::path path;
  SafetensorsFile file;
  std::set<std::string> left;

  explicit AdapterFile(const fs::path& path) : path(path), file(SafetensorsFile::open(path)) {
    for (const TensorView& view : file.tensors()) left.insert(view.name);
  }

  bool has(const std::string& name) const { return left.contains(prefix + name); }

  // -1 takes any size.
  Tensor take(const std::string& name, const std::vector<int64_t>& shape, const Weight& like) {
    const TensorView* view = file.find(prefix + name);
    if (view == nullptr) {
      throw input_error("cannot load {}: it has no tensor {}", path.string(), prefix + name);
    }
    const bool fits = std::ranges::equal(view->shape, shape, [](int64_t found, int64_t expected) {
      return expected < 0 ? found > 0 : found == expected;
    });
    if (!fits) {
      throw input_error("cannot load {}: {} has shape [{}], the model needs [{}]", path.string(),
                        view->name, fmt::join(view->shape, ", "), fmt::join(shape, ", "))
          .with_hint("is it an adapter of this model?");
    }
    left.erase(prefix + name);
    return to_tensor(*view, like.scalar_type(), like.device());
  }
};

// Module names' last parts where those say the same as the names: shorter, and the usual form.
std::vector<std::string> target_modules(Model& model) {
  std::set<std::string> names, ends, ends_without;
  model.visit_linears([&](const std::string& module, Linear& linear) {
    const std::string end = module.substr(module.rfind('.') + 1);
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
                  const fs::path& folder) {
  std::vector<std::pair<std::string, Tensor>> tensors;
  model.visit_linears([&](const std::string& module, Linear& linear) {
    if (!linear.lora) return;
    linear.lora->visit(module, [&](const std::string& name, Tensor& tensor) {
      tensors.emplace_back(prefix + name, tensor.detach());
    });
  });
  check(!tensors.empty(), "save_adapter: the model has none");
  const Json config = {{"base_model_name_or_path", base},
                       {"bias", "none"},
                       {"fan_in_fan_out", stored_input_major(model)},
                       {"inference_mode", true},
                       {"init_lora_weights", true},
                       {"lora_alpha", options.alpha},
                       {"lora_dropout", options.dropout},
                       {"modules_to_save", nullptr},
                       {"peft_type", "LORA"},
                       {"r", options.rank},
                       {"target_modules", target_modules(model)},
                       {"task_type", "CAUSAL_LM"},
                       {"use_dora", options.dora},
                       {"use_rslora", options.rslora}};
  make_folder(folder);
  write_safetensors(folder / weights_name, to_views(tensors), {{"format", "pt"}});
  write_file(folder / config_name, config.dump(2) + "\n");
}

void load_adapter(Model& model, const fs::path& folder) {
  const LoraOptions options = read_config(folder / config_name);
  AdapterFile file(folder / weights_name);
  const Weight head = model.head().weight_VD;
  uint64_t index = 0;
  model.visit_linears([&](const std::string& module, Linear& linear) {
    if (!file.has(module + ".lora_A.weight") || linear.weight.is_same(head)) return;
    auto lora = std::make_shared<Lora>();
    lora->a_RI = file.take(module + ".lora_A.weight", {-1, linear.in()}, linear.weight);
    const int64_t rank = lora->a_RI.size(0);
    lora->b_ER = file.take(module + ".lora_B.weight", {linear.out(), rank}, linear.weight);
    if (options.dora) {
      lora->magnitude_E =
          file.take(module + ".lora_magnitude_vector", {linear.out()}, linear.weight);
    }
    lora->scaling = options.scaling(rank);
    lora->index = index++;
    linear.lora = std::move(lora);
  });
  if (!file.left.empty()) {
    throw input_error("cannot load {}: {} tensors fit no linear map of the model, the first is {}",
                      file.path.string(), file.left.size(), *file.left.begin())
        .with_hint(
            "is it an adapter of this model? Adapters of heads and embeddings are not built");
  }
  if (index == 0) throw input_error("cannot load {}: it holds no tensor", file.path.string());
}

}  // namespace alambic
