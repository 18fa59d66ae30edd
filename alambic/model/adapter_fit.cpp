#include "alambic/model/adapter_fit.h"

#include <fmt/format.h>

#include <algorithm>

#include "alambic/base/error.h"
#include "alambic/base/printable.h"
#include "alambic/io/split_experts.h"
#include "alambic/io/tied_head.h"
#include "alambic/nn/linear.h"

namespace alambic {

namespace {

constexpr std::string_view weight_end = ".weight";

std::string module_of(const std::string& tensor) { return tensor.substr(0, tensor.rfind('.')); }

std::set<std::string> names_of(Model& model) {
  std::set<std::string> names;
  model.visit([&](const std::string& name, const Weight&) { names.insert(name); });
  return names;
}

std::string embedding_of(Model& model) { return module_of(model.embedding_names().front()); }

}  // namespace

std::string last_part(const std::string& module) { return module.substr(module.rfind('.') + 1); }

bool is_head_module(const std::string& module) {
  const std::string end = last_part(module);
  return end == "lm_head" || end == "embed_out" || end == "head";
}

bool has_tied_head(Model& model) {
  const Weight head = model.head().weight_VD;
  const std::string embedding = model.embedding_names().front();
  bool tied = false;
  model.visit([&](const std::string& name, const Weight& weight) {
    tied |= name == embedding && weight.is_same(head);
  });
  return tied;
}

AdapterFit::AdapterFit(const fs::path& folder)
    : config_(read_adapter_config(folder / "adapter_config.json")),
      tensors_(AdapterTensors::open(folder)) {}

// The model's own name of a module of the file; "": it is of a part that is left out, which sees or
// hears or predicts further tokens.
std::string AdapterFit::canonical(Model& model, const std::string& module) const {
  const std::string name = model.canonical_name(module + std::string(weight_end));
  if (name.empty() || !model.ignored_reason(name).empty()) return "";
  return name.substr(0, name.size() - weight_end.size());
}

void AdapterFit::read_targets(Model& model) {
  if (config_.all_linear || config_.targets) return;
  const Json type = model.config.value("model_type", Json());
  const std::vector<std::string> names =
      default_targets(type.is_string() ? type.get<std::string>() : "");
  if (names.empty()) {
    throw input_error("cannot load the adapter of {}: \"target_modules\" should name modules",
                      config_.where);
  }
  config_.targets = ModuleNames{names, std::nullopt};
}

bool AdapterFit::is_adapted(const std::string& module) const {
  const auto found = tensors_.loras().find(module);
  return found != tensors_.loras().end() && config_.is_target(module, is_head_module(module));
}

// Whether PEFT changes the embedding or the head of a tied model without the other.
bool AdapterFit::wants_own_head(Model& model) const {
  const std::string embedding = embedding_of(model);
  const auto saved = [&](const std::string& module) {
    return config_.is_saved(module) && tensors_.wholes().contains(module + std::string(weight_end));
  };
  bool of_head = false, of_embedding = false;
  const auto look = [&](const std::string& module) {
    if (!is_adapted(module) && !saved(module)) return;
    if (is_head_module(module)) of_head = true;
    if (canonical(model, module) == embedding) of_embedding = true;
  };
  for (const auto& [module, views] : tensors_.loras()) look(module);
  for (const auto& [name, whole] : tensors_.wholes()) look(module_of(name));
  return of_head || (of_embedding && !config_.ensure_weight_tying);
}

bool AdapterFit::change(Json& config, CountLimits& limits, Model& model) {
  read_targets(model);
  bool changed = false;
  was_tied_ = has_tied_head(model);
  if (was_tied_ && wants_own_head(model)) {
    set_of_text(config, "tie_word_embeddings", false);
    changed = true;
  }
  const std::string embedding = embedding_of(model);
  for (const auto& [name, whole] : tensors_.wholes()) {
    const std::string module = module_of(name);
    if (!is_head_module(module) && canonical(model, module) != embedding) continue;
    const std::vector<int64_t>& shape = whole.view->shape;
    if (shape.size() != 2 || shape[0] == model.shape().vocabulary || shape[0] < 1) continue;
    set_of_text(config, "vocab_size", shape[0]);
    limits.size = std::max(limits.size, shape[0]);
    changed = true;
  }
  return changed;
}

void AdapterFit::fit(Model& model) {
  read_targets(model);
  const std::set<std::string> names = names_of(model);
  fit_wholes(model, names);
  share_tied(model);
  check_saved(names);
  fit_rows(model);
  std::set<std::string> places;  // modules that can have an adapter
  model.visit_linears([&](const std::string& module, Linear&) { places.insert(module); });
  for (const std::string& name : model.embedding_names()) places.insert(module_of(name));
  const auto is_target = [&](const std::string& module) {
    return config_.is_target(module, is_head_module(module));
  };
  if (std::ranges::none_of(places, is_target) && !is_target("lm_head")) {
    throw input_error(
        "cannot load the adapter of {}: \"target_modules\" fit no linear map of the model",
        config_.where)
        .with_hint("is it an adapter of this model?");
  }
  for (const auto& [module, views] : tensors_.loras()) {
    const std::string place = canonical(model, module);
    if (is_adapted(module) && places.contains(place)) {
      lows_[place] = {module, &views};
      if (!config_.dora && views.magnitude != nullptr) unused_.insert(views.magnitude->name);
      continue;
    }
    if (is_adapted(module) && !place.empty()) {
      throw input_error(
          "cannot load {}: the tensors of {} fit no linear map of the model, though "
          "adapter_config.json targets it",
          tensors_.path().string(), printable(module))
          .with_hint("is it an adapter of this model?");
    }
    for (const TensorView* view : {views.a, views.b, views.magnitude}) {
      if (view != nullptr) unused_.insert(view->name);
    }
  }
  unused_.insert(tensors_.others().begin(), tensors_.others().end());
}

std::set<std::string> AdapterFit::changed(Model& model) const {
  std::set<std::string> names;
  const Weight head = model.head().weight_VD;
  model.visit_linears([&](const std::string& module, Linear& linear) {
    const bool merges = config_.base_change != BaseChange::none || linear.weight.is_same(head);
    if (merges && lows_.contains(module)) names.insert(module + std::string(weight_end));
  });
  for (const auto& [module, low] : lows_) {
    if (low.views->of_rows) names.insert(module + std::string(weight_end));
  }
  for (const auto& [module, rows] : rows_) names.insert(module + std::string(weight_end));
  return names;
}

void AdapterFit::fit_wholes(Model& model, const std::set<std::string>& names) {
  for (const auto& [name, whole] : tensors_.wholes()) {
    const std::string module = module_of(name);
    const bool wrapped = is_adapted(module) || tensors_.rows().contains(module);
    // Below an adapter PEFT calls it base_layer; elsewhere, and where it is saved whole, it does
    // not.
    if ((wrapped && !config_.is_saved(module)) != whole.below_adapter) {
      unused_.insert(whole.view->name);
      continue;
    }
    const std::string own = model.canonical_name(name);
    if (names.contains(own)) {
      wholes_[own] = *whole.view;
      continue;
    }
    if (was_tied_ && own.empty() && is_head_module(module)) {
      wholes_[model.embedding_names().front()] = *whole.view;  // PEFT loads the head last
      continue;
    }
    const std::vector<TensorView> parts = split_experts(*whole.view);
    bool all = !parts.empty();
    const std::string start = name.substr(0, name.find(".experts."));
    for (const TensorView& part : parts) {
      const size_t at = part.name.find(".experts.");
      const std::string expert = model.canonical_name(start + part.name.substr(at));
      all &= names.contains(expert);
      wholes_[expert] = part;
    }
    if (!all) unused_.insert(whole.view->name);
  }
}

// A head that only this adapter parts from its embedding: what PEFT loads below either goes into
// the one tensor that both were.
void AdapterFit::share_tied(Model& model) {
  if (!was_tied_ || has_tied_head(model)) return;
  const std::string embedding = model.embedding_names().front();
  std::string head;
  model.visit_linears([&](const std::string& module, Linear& linear) {
    if (linear.weight.is_same(model.head().weight_VD)) head = module;
  });
  if (head.empty()) return;
  const std::string own = head + std::string(weight_end);
  const auto shared = [&](const std::string& name, const std::string& module) {
    return wholes_.contains(name) && !config_.is_saved(module);
  };
  if (shared(own, head)) {
    if (!config_.is_saved(module_of(embedding))) wholes_[embedding] = wholes_[own];
  } else if (shared(embedding, module_of(embedding)) && !config_.is_saved(head)) {
    wholes_[own] = wholes_[embedding];
  }
}

void AdapterFit::check_saved(const std::set<std::string>& names) const {
  const auto refuse = [&](const std::string& name) {
    throw input_error(
        "cannot load {}: \"modules_to_save\" names a module with the tensor {}, which the file "
        "does not hold",
        tensors_.path().string(), name);
  };
  for (const std::string& name : names) {
    if (config_.is_saved(module_of(name)) && !wholes_.contains(name)) refuse(name);
  }
  const std::string head = "lm_head";  // a tied one is none of the model's tensors
  if (was_tied_ && config_.is_saved(head) && !tensors_.wholes().contains(head + ".weight")) {
    refuse(head + ".weight");
  }
}

// The tokens whose rows a tensor of this module's replaces; null: none.
const std::vector<int64_t>* AdapterFit::tokens_of(const std::string& module,
                                                  bool is_embedding) const {
  for (const TokenRows& rows : config_.token_rows) {
    if (rows.module.empty() ? is_embedding : module.ends_with(rows.module)) return &rows.tokens;
  }
  return nullptr;
}

void AdapterFit::fit_rows(Model& model) {
  const std::string embedding = embedding_of(model);
  const bool tied = has_tied_head(model);
  const auto refuse = [&](const std::string& why) {
    throw input_error("cannot load {}: \"trainable_token_indices\" {}", tensors_.path().string(),
                      why);
  };
  for (size_t i = 1; tied && i < config_.token_rows.size(); ++i) {
    if (config_.token_rows[i].tokens != config_.token_rows[0].tokens) {
      refuse("names other tokens of the head than of the embedding that it is tied to");
    }
  }
  for (const auto& [module, view] : tensors_.rows()) {
    const std::string place = canonical(model, module);
    // A tied head has the embedding's rows, which PEFT may save twice.
    if (tied && is_head_module(module) && !config_.token_rows.empty()) continue;
    const std::vector<int64_t>* tokens = tokens_of(module, place == embedding);
    if (tokens == nullptr || place.empty()) {
      unused_.insert(view->name);
      continue;
    }
    rows_[place] = {view, *tokens};
  }
  for (const TokenRows& rows : config_.token_rows) {
    const auto found = [&](const auto& entry) {
      return rows.module.empty() ? entry.first == embedding
                                 : entry.first.ends_with(last_part(rows.module)) ||
                                       (tied && is_head_module(rows.module));
    };
    if (std::ranges::none_of(rows_, found)) refuse("has no tensor of new rows in the file");
  }
}

}  // namespace alambic
