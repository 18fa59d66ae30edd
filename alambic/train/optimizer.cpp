#include "alambic/train/optimizer.h"

#include <cmath>

#include "alambic/base/error.h"
#include "alambic/nn/dense_parts.h"
#include "alambic/tensor/tensor_lists.h"

namespace alambic {

namespace {

/// Narrow gradients are widened so many numbers at a time: 256 MB, not a copy of all.
constexpr int64_t kWidened = int64_t{1} << 26;

Tensor number_on(at::Device device, double value) {
  return at::full({}, value, at::TensorOptions().dtype(at::kFloat).device(device));
}

}  // namespace

AdamW::AdamW(Model& model, const AdamWOptions& options, const NamedTensors& beside,
             std::shared_ptr<const World> world)
    : options_(options), world_(std::move(world)) {
  model.visit(of_dense([&](const std::string& name, Tensor& tensor) {
    if (tensor.requires_grad()) add(name, tensor);
  }));
  for (const auto& [name, tensor] : beside) add(name, tensor);
  take_parts();
}

void AdamW::add(const std::string& name, const Tensor& tensor) {
  parameters_.push_back({.name = name,
                         .weight = tensor,
                         .decays = options_.decay_vectors || tensor.dim() >= 2,
                         .place = numbers_});
  numbers_ += tensor.numel();
}

void AdamW::take_parts() {
  for (Parameter& parameter : parameters_) {
    Tensor part = parameter.weight.detach();  // shares the storage
    const auto [first, last] = world_->part(parameter.place, part.numel(), numbers_);
    parameter.first = first;
    check(world_->alone() || part.is_contiguous(), "the trained tensor {} is not contiguous",
          parameter.name);
    if (last - first < part.numel()) part = part.view({-1}).narrow(0, first, last - first);
    const bool wide = part.scalar_type() == at::kFloat || part.scalar_type() == at::kDouble;
    parameter.master = wide ? part : part.to(at::kFloat);
    parameter.mean = at::zeros_like(parameter.master);
    parameter.square = at::zeros_like(parameter.master);
  }
}

Tensor AdamW::own_part(const Parameter& parameter, const Tensor& whole) {
  const int64_t numbers = parameter.master.numel();
  if (numbers == whole.numel()) return whole;
  return whole.reshape({-1}).narrow(0, parameter.first, numbers);
}

NamedTensors AdamW::weights() const {
  NamedTensors weights;
  for (const Parameter& parameter : parameters_) {
    weights.emplace_back(parameter.name, parameter.weight);
  }
  return weights;
}

std::vector<Tensor> AdamW::gradients() const {
  std::vector<Tensor> gradients;
  for (const Parameter& parameter : parameters_) {
    const Tensor& weight = parameter.weight;
    if (!weight.grad().defined()) weight.mutable_grad() = at::zeros_like(weight.detach());
    gradients.push_back(weight.grad());
  }
  return gradients;
}

double AdamW::gradient_norm() const {
  std::vector<Tensor> gradients;
  for (const Parameter& parameter : parameters_) {
    if (parameter.weight.grad().defined()) gradients.push_back(parameter.weight.grad());
  }
  if (gradients.empty()) return 0;
  // One read: the host would wait for every tensor's.
  if (!gradients.front().is_cpu()) return norm_of_all(gradients).item<double>();
  double sum = 0;
  for (const Tensor& gradient : gradients) {
    const double norm = at::linalg_vector_norm(gradient, 2, {}, false, at::kDouble).item<double>();
    sum += norm * norm;
  }
  return std::sqrt(sum);
}

void AdamW::update(bool decaying, double learning_rate) {
  std::vector<Tensor> masters, gradients, means, squares;
  int64_t widened = 0;
  const auto step = [&] {
    if (masters.empty()) return;
    const at::Device device = masters.front().device();
    const std::vector<Tensor> counts(masters.size(),
                                     number_on(device, static_cast<double>(steps_)));
    at::_fused_adamw_(masters, gradients, means, squares, {}, counts, learning_rate, options_.beta1,
                      options_.beta2, decaying ? options_.weight_decay : 0, options_.epsilon,
                      /*amsgrad=*/false, /*maximize=*/false, {}, {});
    for (std::vector<Tensor>* list : {&masters, &gradients, &means, &squares}) list->clear();
    widened = 0;
  };
  for (const Parameter& parameter : parameters_) {
    if (parameter.decays != decaying || parameter.master.numel() == 0) continue;
    // No gradient is a gradient of zero: an expert to which no token came keeps its momentum and
    // its decay, as in a tensor of all experts.
    const Tensor gradient = parameter.weight.grad().defined()
                                ? own_part(parameter, parameter.weight.grad())
                                : at::zeros_like(parameter.mean);
    masters.push_back(parameter.master);
    gradients.push_back(gradient.to(parameter.master.scalar_type()));
    means.push_back(parameter.mean);
    squares.push_back(parameter.square);
    if (!gradients.back().is_same(gradient)) widened += gradient.numel();
    if (widened >= kWidened) step();
  }
  step();
}

void AdamW::step(double learning_rate, double scale) {
  const at::NoGradGuard no_grad;
  ++steps_;
  std::vector<Tensor> gradients;
  for (const Parameter& parameter : parameters_) {
    if (parameter.weight.grad().defined()) gradients.push_back(parameter.weight.grad());
  }
  if (scale != 1) scale_all(gradients, scale);
  update(true, learning_rate);
  update(false, learning_rate);
  std::vector<Tensor> narrow, masters;
  for (Parameter& parameter : parameters_) {
    if (!parameter.master.is_alias_of(parameter.weight)) {
      narrow.push_back(own_part(parameter, parameter.weight.detach()));
      masters.push_back(parameter.master);
    }
    // The fused step does not count its change; what is kept per version (DoRA's norms) needs it.
    parameter.weight.unsafeGetTensorImpl()->bump_version();
  }
  copy_all(narrow, masters);
  clear_gradients();
  if (world_->alone()) return;
  std::vector<Tensor> weights;
  for (const Parameter& parameter : parameters_) weights.push_back(parameter.weight);
  world_->spread(weights, "sharing the updated weights");
}

void AdamW::clear_gradients() {
  for (Parameter& parameter : parameters_) parameter.weight.mutable_grad() = Tensor();
}

std::vector<OptimizerTensor> AdamW::state() const {
  std::vector<OptimizerTensor> state;
  for (const Parameter& parameter : parameters_) {
    const auto add = [&](const char* what, const Tensor& part) {
      state.push_back({.name = parameter.name + what,
                       .shape = parameter.weight.sizes().vec(),
                       .first = parameter.first,
                       .part = part});
    };
    add(".exp_avg", parameter.mean);
    add(".exp_avg_sq", parameter.square);
    if (!parameter.master.is_alias_of(parameter.weight)) add(".master", parameter.master);
  }
  return state;
}

NamedTensors AdamW::whole_state() const {
  NamedTensors whole;
  const auto add = [&](const Parameter& parameter, const char* what, const Tensor& part) {
    Tensor tensor = part;
    if (world_->leads() && part.numel() < parameter.weight.numel()) {
      tensor = at::zeros(parameter.weight.sizes(), part.options());
      own_part(parameter, tensor).copy_(part);
    }
    world_->to_first(tensor, parameter.place, numbers_, "collecting the optimizer's state");
    if (world_->leads()) whole.emplace_back(parameter.name + what, tensor);
  };
  for (const Parameter& parameter : parameters_) {
    add(parameter, ".exp_avg", parameter.mean);
    add(parameter, ".exp_avg_sq", parameter.square);
    if (!parameter.master.is_alias_of(parameter.weight)) {
      add(parameter, ".master", parameter.master);
    }
  }
  return whole;
}

}  // namespace alambic
