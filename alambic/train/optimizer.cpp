#include "alambic/train/optimizer.h"

#include <cmath>

namespace alambic {

AdamW::AdamW(Model& model, const AdamWOptions& options, const NamedTensors& beside)
    : options_(options) {
  model.visit([&](const std::string& name, Tensor& tensor) {
    if (tensor.requires_grad()) add(name, tensor);
  });
  for (const auto& [name, tensor] : beside) add(name, tensor);
}

void AdamW::add(const std::string& name, const Tensor& tensor) {
  const Tensor weight = tensor.detach();  // shares the storage
  const Tensor master = weight.scalar_type() == at::kFloat || weight.scalar_type() == at::kDouble
                            ? weight
                            : weight.to(at::kFloat);
  parameters_.push_back({.name = name,
                         .weight = tensor,
                         .master = master,
                         .mean = at::zeros_like(master),
                         .square = at::zeros_like(master),
                         .decays = options_.decay_vectors || tensor.dim() >= 2});
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
  double sum = 0;
  for (const Parameter& parameter : parameters_) {
    const Tensor gradient = parameter.weight.grad();
    if (!gradient.defined()) continue;
    const double norm = at::linalg_vector_norm(gradient, 2, {}, false, at::kDouble).item<double>();
    sum += norm * norm;
  }
  return std::sqrt(sum);
}

void AdamW::update(bool decaying, double learning_rate) {
  std::vector<Tensor> masters, gradients, means, squares, counts;
  for (const Parameter& parameter : parameters_) {
    if (parameter.decays != decaying) continue;
    // No gradient is a gradient of zero: an expert to which no token came keeps its momentum and
    // its decay, as in a tensor of all experts.
    const Tensor gradient = parameter.weight.grad().defined() ? parameter.weight.grad()
                                                              : at::zeros_like(parameter.weight);
    masters.push_back(parameter.master);
    gradients.push_back(gradient.to(parameter.master.scalar_type()));
    means.push_back(parameter.mean);
    squares.push_back(parameter.square);
    counts.push_back(at::full({}, static_cast<double>(steps_),
                              at::TensorOptions().dtype(at::kFloat).device(gradient.device())));
  }
  if (masters.empty()) return;
  at::_fused_adamw_(masters, gradients, means, squares, {}, counts, learning_rate, options_.beta1,
                    options_.beta2, decaying ? options_.weight_decay : 0, options_.epsilon,
                    /*amsgrad=*/false, /*maximize=*/false, {}, {});
}

void AdamW::step(double learning_rate, double scale) {
  const at::NoGradGuard no_grad;
  ++steps_;
  for (const Parameter& parameter : parameters_) {
    Tensor gradient = parameter.weight.grad();
    if (gradient.defined() && scale != 1) gradient.mul_(scale);
  }
  update(true, learning_rate);
  update(false, learning_rate);
  for (Parameter& parameter : parameters_) {
    if (parameter.master.is_alias_of(parameter.weight)) {
      // The fused step does not count its change; what is kept per version (DoRA's norms) needs it.
      parameter.weight.unsafeGetTensorImpl()->bump_version();
    } else {
      parameter.weight.copy_(parameter.master);
    }
  }
  clear_gradients();
}

void AdamW::clear_gradients() {
  for (Parameter& parameter : parameters_) parameter.weight.mutable_grad() = Tensor();
}

NamedTensors AdamW::state() const {
  NamedTensors state;
  for (const Parameter& parameter : parameters_) {
    state.emplace_back(parameter.name + ".exp_avg", parameter.mean);
    state.emplace_back(parameter.name + ".exp_avg_sq", parameter.square);
    if (!parameter.master.is_alias_of(parameter.weight)) {
      state.emplace_back(parameter.name + ".master", parameter.master);
    }
  }
  return state;
}

}  // namespace alambic
