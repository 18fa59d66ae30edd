#include <fmt/format.h>

#include <algorithm>

#include "alambic/base/error.h"
#include "alambic/base/log.h"
#include "alambic/base/printable.h"
#include "alambic/io/beside_model.h"
#include "alambic/model/adapter_fit.h"
#include "alambic/nn/dense_parts.h"
#include "alambic/tensor/decomposition.h"
#include "alambic/tensor/view.h"

namespace alambic {

// The tensor of a view in the dtype and on the device of `type`, after its shape was checked.
Tensor AdapterFit::take(const TensorView* view, const std::string& what,
                        const std::vector<int64_t>& shape, const at::TensorOptions& type) const {
  if (view == nullptr) {
    throw input_error("cannot load {}: it has no tensor {}{}", tensors_.path().string(),
                      kAdapterPrefix, what);
  }
  if (view->shape != shape) {
    throw input_error(
        "cannot load {}: {} has shape [{}], the model and adapter_config.json need [{}]",
        tensors_.path().string(), printable(view->name), fmt::join(view->shape, ", "),
        fmt::join(shape, ", "))
        .with_hint("is it an adapter of this model?");
  }
  return to_tensor(*view, type.dtype().toScalarType(), type.device());
}

std::shared_ptr<Lora> AdapterFit::low_of(const std::string& module, const LoraViews& views,
                                         int64_t in, int64_t out,
                                         const at::TensorOptions& type) const {
  const int64_t rank = config_.rank_of(module);
  const char* a = views.of_rows ? ".lora_embedding_A" : ".lora_A.weight";
  const char* b = views.of_rows ? ".lora_embedding_B" : ".lora_B.weight";
  auto lora = std::make_shared<Lora>();
  lora->a_RI = take(views.a, module + a, {rank, in}, type);
  lora->b_ER = take(views.b, module + b, {out, rank}, type);
  if (config_.dora) {
    if (views.magnitude == nullptr) {
      throw input_error(
          "cannot load {}: it has no tensor {}{}.lora_magnitude_vector, and adapter_config.json "
          "has \"use_dora\": true",
          tensors_.path().string(), kAdapterPrefix, module);
    }
    lora->magnitude_E = take(views.magnitude, module + ".lora_magnitude_vector", {out}, type);
  }
  lora->scaling = config_.scaling_of(module);
  return lora;
}

// What PEFT takes off the weights when it attaches an adapter (tuners/lora/layer.py, pissa_init and
// olora_init).
void AdapterFit::change_base(const std::string& module, Linear& linear) const {
  if (config_.base_change == BaseChange::none) return;
  const int64_t rank = config_.rank_of(module);
  if (rank > std::min(linear.in(), linear.out())) {
    throw input_error("cannot load the adapter of {}: rank {} of {} is above its smaller side",
                      config_.where, rank, module);
  }
  if (config_.base_change == BaseChange::pissa) {
    Tensor weight_OI = linear.weight_OI();
    weight_OI.copy_(weight_OI.to(at::kFloat) - largest_singular_part(weight_OI, rank));
  } else {  // OLoRA decomposes the matrix as it is stored
    Tensor& weight = linear.weight.dense();
    weight.copy_(weight.to(at::kFloat) -
                 config_.scaling_of(module) * first_columns_part(weight, rank));
  }
}

void AdapterFit::attach_linears(Model& model) {
  const Weight head = model.head().weight_VD;
  std::set<std::string> routed;
  model.visit(TensorVisitor::of_expert_linears(
      [&](const std::string& module, Linear&) { routed.insert(module); }));
  uint64_t index = 0;
  model.visit_linears([&](const std::string& module, Linear& linear) {
    const bool is_head = linear.weight.is_same(head);
    const auto found = lows_.find(module);
    if (found == lows_.end()) {
      if (!routed.contains(module) && config_.is_target(module, is_head)) {
        missing_.push_back(module);
      }
      return;
    }
    const Low& low = found->second;
    const at::TensorOptions type = linear.weight.options().requires_grad(false);
    auto lora = low_of(low.module, *low.views, linear.in(), linear.out(), type);
    if (!wholes_.contains(module + ".weight")) change_base(low.module, linear);
    lora->index = index++;
    linear.lora = std::move(lora);
    // Objectives make the logits from the head's weight alone.
    if (is_head) linear.merge_lora();
    ++used_;
  });
}

// Low-rank maps of embeddings, and new rows of them and of the head.
void AdapterFit::attach_rows(Model& model) {
  model.visit(of_dense([&](const std::string& name, Tensor& tensor) {
    const std::string module = name.substr(0, name.rfind('.'));
    const auto low = lows_.find(module);
    if (low != lows_.end() && low->second.views->of_rows && tensor.dim() == 2 &&
        name.ends_with(".weight")) {
      const at::TensorOptions type = tensor.options().requires_grad(false);
      const auto lora =
          low_of(low->second.module, *low->second.views, tensor.size(0), tensor.size(1), type);
      tensor.copy_(lora->merged(tensor.t()).t());
      ++used_;
    }
    const auto rows = rows_.find(module);
    if (rows == rows_.end() || tensor.dim() != 2) return;
    const auto& [view, tokens] = rows->second;
    for (const int64_t token : tokens) {
      if (token < tensor.size(0)) continue;
      throw input_error(
          "cannot load the adapter of {}: \"trainable_token_indices\" has token {}, but {} has {} "
          "rows",
          config_.where, token, name, tensor.size(0));
    }
    const auto count = static_cast<int64_t>(tokens.size());
    const Tensor values = take(view, module, {count, tensor.size(1)}, tensor.options());
    for (int64_t i = 0; i < count; ++i) tensor.select(0, tokens[i]).copy_(values.select(0, i));
    ++used_;
  }));
}

void AdapterFit::tell_unused() const {
  const std::string where = tensors_.path().string();
  if (used_ == 0) {
    throw input_error("cannot load {}: its tensors fit no linear map of the model{}", where,
                      unused_.empty() ? "" : ", the first is " + printable(*unused_.begin()))
        .with_hint("is it an adapter of this model?");
  }
  if (!missing_.empty() && !config_.begins_with_nothing) {
    throw input_error("cannot load {}: it has no tensors of {}, which adapter_config.json targets",
                      where, some_names(missing_));
  }
  if (!missing_.empty()) {
    warn(
        "{}: it has no tensors of {}, which adapter_config.json targets: they stay as they are, "
        "as in PEFT",
        where, some_names(missing_));
  }
  if (!unused_.empty()) {
    warn("{}: {} tensors are not used, as in PEFT: {}", where, unused_.size(),
         some_names({unused_.begin(), unused_.end()}));
  }
}

void AdapterFit::attach(Model& model, at::Device device, at::ScalarType dtype) {
  const at::NoGradGuard no_grad;
  model.visit(of_dense([&](const std::string& name, Tensor& tensor) {
    const auto found = wholes_.find(name);
    if (found == wholes_.end()) return;
    const bool trained = tensor.requires_grad();
    const at::TensorOptions type = at::device(device).dtype(model.type_of(name, dtype));
    tensor = take(&found->second, name, tensor.sizes().vec(), type);
    tensor.set_requires_grad(trained);
    ++used_;
  }));
  attach_linears(model);
  attach_rows(model);
  tell_unused();
}

}  // namespace alambic
