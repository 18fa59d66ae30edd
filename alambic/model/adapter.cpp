#include "alambic/model/adapter.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "alambic/base/error.h"
#include "alambic/base/names.h"
#include "alambic/base/random.h"
#include "alambic/dist/layer_stream.h"
#include "alambic/model/adapter_fit.h"
#include "alambic/nn/dense_parts.h"
#include "alambic/nn/layer_of_name.h"

namespace alambic {

namespace {

// Draws of `init` number a model's tensors from 0.
constexpr uint64_t first_init_step = uint64_t{1} << 32;

bool answers_to(const std::string& module, const std::string& target) {
  return module == target || module.ends_with("." + target);
}

// Uniform in ±1/sqrt(in): kaiming_uniform_ with a = sqrt(5), as PEFT and nn.Linear begin.
Tensor first_a(int64_t rank, int64_t in, uint64_t seed, uint64_t index) {
  const Tensor a_RI = at::empty({rank, in}, at::kFloat);
  const double bound = 1 / std::sqrt(static_cast<double>(in));
  for (int64_t i = 0; i < a_RI.numel(); ++i) {
    const double drawn = uniform(
        {.seed = seed, .step = first_init_step + index, .sample = static_cast<uint64_t>(i)});
    a_RI.data_ptr<float>()[i] = static_cast<float>(bound * (2 * drawn - 1));
  }
  return a_RI;
}

std::shared_ptr<Lora> new_lora(const Linear& linear, const LoraOptions& options, uint64_t seed,
                               uint64_t index) {
  const at::TensorOptions type = linear.weight.options().requires_grad(false);
  auto lora = std::make_shared<Lora>();
  lora->a_RI = first_a(options.rank, linear.in(), seed, index).to(type);
  lora->b_ER = at::zeros({linear.out(), options.rank}, type);
  lora->scaling = options.scaling(options.rank);
  // Norms of W, since B is 0; of a copy, which takes what it keeps along.
  if (options.dora) lora->magnitude_E = Lora(*lora).norm_E(as_rows(linear));
  lora->index = index;
  return lora;
}

// The last parts of routed experts' names. transformers holds a layer's experts as one tensor, and
// PEFT takes any of these names, even of a dense layer, to mean that tensor: nothing could read
// what we would write for them.
std::set<std::string> names_of_experts(Model& model) {
  std::set<std::string> names;
  model.visit(TensorVisitor::of_expert_linears(
      [&](const std::string& module, Linear&) { names.insert(last_part(module)); }));
  return names;
}

bool is_target(const std::string& module, bool is_head, const LoraOptions& options) {
  if (options.targets.empty()) return !is_head;
  return std::ranges::any_of(options.targets, [&](const std::string& target) {
    const bool named = answers_to(module, target);
    if (named && is_head) {
      throw input_error("--lora-targets {}: the head cannot have an adapter", target)
          .with_hint("--lora-modules-to-save " + target + " trains it whole");
    }
    return named || (target == "all-linear" && !is_head);
  });
}

// The module of a tensor and those above it: "a.b.weight" is in a.b and a.
std::vector<std::string> modules_of(const std::string& tensor) {
  std::vector<std::string> modules;
  for (size_t end = tensor.rfind('.'); end != std::string::npos && end > 0;
       end = tensor.rfind('.', end - 1)) {
    modules.push_back(tensor.substr(0, end));
  }
  return modules;
}

bool ends_as(const std::vector<std::string>& modules, const std::string& name) {
  return std::ranges::any_of(modules,
                             [&](const std::string& module) { return module.ends_with(name); });
}

// Every target must have been met by a module.
void check_targets(const LoraOptions& options, const std::vector<std::string>& modules,
                   const std::vector<std::string>& experts) {
  for (const std::string& target : options.targets) {
    const auto answers = [&](const std::string& module) {
      return target == "all-linear" || answers_to(module, target);
    };
    if (std::ranges::any_of(modules, answers)) continue;
    std::set<std::string> names;
    for (const std::string& module : modules) names.insert(last_part(module));
    if (std::ranges::any_of(experts, answers)) {
      throw input_error(
          "--lora-targets {}: routed experts, and maps named as theirs, cannot have an adapter",
          target)
          .with_hint("leave it out: attention can have one; no --lora-rank trains the experts too");
    }
    throw input_error("--lora-targets {}: no linear map of the model has this name", target)
        .with_hint("there are " + join({names.begin(), names.end()}));
  }
}

}  // namespace

std::set<std::string> tensors_saved_whole(Model& model, const LoraOptions& options) {
  std::set<std::string> tensors, met, ends;
  model.visit([&](const std::string& tensor, const Weight&) {
    const std::vector<std::string> modules = modules_of(tensor);
    ends.insert(last_part(modules.front()));
    for (const std::string& name : options.modules_to_save) {
      if (!ends_as(modules, name)) continue;
      met.insert(name);
      tensors.insert(tensor);
      if (tensor.find(".experts.") == std::string::npos) continue;
      throw input_error("--lora-modules-to-save {}: routed experts cannot be saved whole", name)
          .with_hint("PEFT could not read them: transformers has a layer's experts in one tensor");
    }
  });
  for (const std::string& name : options.modules_to_save) {
    if (!name.empty() && met.contains(name)) continue;
    throw input_error("--lora-modules-to-save {}: no module of the model is called so", name)
        .with_hint("there are " + join({ends.begin(), ends.end()}));
  }
  return tensors;
}

bool needs_own_head(const LoraOptions& options) {
  for (const std::string module :
       {"lm_head", "embed_out", "model.embed_tokens", "transformer.wte", "gpt_neox.embed_in"}) {
    const auto names = [&](const std::string& end) { return module.ends_with(end); };
    if (std::ranges::any_of(options.modules_to_save, names)) return true;
  }
  return false;
}

double LoraOptions::scaling(int64_t rank_of_target) const {
  const auto r = static_cast<double>(rank_of_target);
  return alpha / (rslora ? std::sqrt(r) : r);
}

void attach_adapter(Model& model, const LoraOptions& options, uint64_t seed, LayerWeights* layers) {
  check(options.rank > 0 && !has_adapter(model), "an adapter of rank {}", options.rank);
  const at::NoGradGuard no_grad;
  model.set_trainable(false);
  if (options.dropout > 0) {
    model.dropout = std::make_shared<LoraDropout>();
    model.dropout->rate = options.dropout;
    model.dropout->seed = seed;
  }
  const std::set<std::string> saved = tensors_saved_whole(model, options);
  model.visit(of_dense([&](const std::string& name, Tensor& tensor) {
    if (saved.contains(name)) tensor.set_requires_grad(!model.is_constant(name));
  }));
  const Weight head = model.head().weight_VD;
  const std::set<std::string> of_experts = names_of_experts(model);
  std::vector<std::string> plain, experts;  // modules that can have an adapter, and cannot
  std::vector<std::pair<std::string, Linear*>> targets;
  model.visit_linears([&](const std::string& module, Linear& linear) {
    if (saved.contains(module + ".weight")) return;
    const bool routed = of_experts.contains(last_part(module));
    (routed ? experts : plain).push_back(module);
    if (!routed && is_target(module, linear.weight.is_same(head), options)) {
      targets.emplace_back(module, &linear);
    }
  });
  check_targets(options, plain, experts);
  LayerStream stream(options.dora ? layers : nullptr, LayerStream::Readers::all);
  for (uint64_t index = 0; const auto& [module, linear] : targets) {
    stream.at(layer_of_name(module));
    linear->lora = new_lora(*linear, options, seed, index++);
    linear->lora->dropout = model.dropout;
    linear->lora->visit(module,
                        [](const std::string&, Tensor& tensor) { tensor.set_requires_grad(true); });
  }
}

void merge_adapter(Model& model) {
  model.visit_linears([](const std::string&, Linear& linear) {
    if (linear.lora) linear.merge_lora();
  });
  model.dropout.reset();
}

bool has_adapter(Model& model) {
  bool found = false;
  model.visit_linears([&](const std::string&, Linear& linear) { found |= linear.lora != nullptr; });
  return found;
}

void freeze_embeddings(Model& model) {
  const std::vector<std::string> embeddings = model.embedding_names();
  size_t found = 0;
  model.visit([&](const std::string& name, Tensor& tensor) {
    if (std::ranges::find(embeddings, name) == embeddings.end()) return;
    tensor.set_requires_grad(false);
    ++found;
  });
  check(found == embeddings.size(), "{} of the model's embeddings were found, expected {}", found,
        embeddings.size());
}

}  // namespace alambic
