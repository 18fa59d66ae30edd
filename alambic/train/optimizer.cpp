#include "alambic/train/optimizer.h"

#include <algorithm>
#include <cmath>

#include "alambic/base/error.h"
#include "alambic/dist/layer_weights.h"
#include "alambic/kernels/device_update.h"
#include "alambic/nn/dense_parts.h"
#include "alambic/tensor/tensor_lists.h"

namespace alambic {

namespace {

using kernels::on_device::AdamWTensor;

/// Narrow gradients are widened so many numbers at a time: 256 MB, not a copy of all.
constexpr int64_t kWidened = int64_t{1} << 26;

Tensor number_on(at::Device device, double value) {
  return at::full({}, value, at::TensorOptions().dtype(at::kFloat).device(device));
}

// Whether an accelerator's kernel has the norm of them all.
bool takes_norm(const std::vector<Tensor>& tensors) {
  const Tensor& first = tensors.front();
  return !first.is_cpu() && std::ranges::all_of(tensors, [&](const Tensor& tensor) {
    return tensor.is_contiguous() && kernels::kernels_of(first, tensor) != nullptr;
  });
}

double square_sum(const std::vector<Tensor>& tensors) {
  if (tensors.empty()) return 0;
  double sum = 0;
  const auto add = [&](const Tensor& norm) {
    const auto number = norm.item<double>();
    sum += number * number;
  };
  // One read: the host would wait for every tensor's.
  if (takes_norm(tensors)) {
    add(kernels::on_device::clipped_norm(tensors, 0).norm);
  } else if (!tensors.front().is_cpu()) {
    add(norm_of_all(tensors));
  } else {
    for (const Tensor& tensor : tensors) {
      add(at::linalg_vector_norm(tensor, 2, {}, false, at::kDouble));
    }
  }
  return sum;
}

}  // namespace

AdamW::AdamW(Model& model, const AdamWOptions& options, const NamedTensors& beside,
             std::shared_ptr<const World> world, std::shared_ptr<LayerWeights> layers)
    : options_(options), world_(std::move(world)), layers_(std::move(layers)) {
  model.visit(of_dense([&](const std::string& name, Tensor& tensor) {
    if (tensor.requires_grad()) add(name, tensor);
  }));
  for (const auto& [name, tensor] : beside) add(name, tensor);
  take_parts();
}

void AdamW::add(const std::string& name, const Tensor& tensor) {
  Parameter parameter{.name = name,
                      .weight = tensor,
                      .decays = options_.decay_vectors || tensor.dim() >= 2,
                      .shape = tensor.sizes().vec(),
                      .place = numbers_};
  if (layers_) find_group(parameter);
  if (parameter.group == nullptr) numbers_ += tensor.numel();
  parameters_.push_back(std::move(parameter));
}

void AdamW::find_group(Parameter& parameter) const {
  const auto [group, i] = layers_->find(parameter.weight);
  if (group == nullptr) return;
  parameter.group = group;
  parameter.shape = group->shape(i);
  parameter.place = group->place(i);
  parameter.row = group->count();
}

const World& AdamW::world_of(const Parameter& parameter) const {
  return parameter.group == nullptr ? *world_ : parameter.group->world();
}

void AdamW::take_parts() {
  for (Parameter& parameter : parameters_) {
    if (parameter.group == nullptr) parameter.row = numbers_;
    Tensor part = parameter.weight.detach();  // shares the storage
    const int64_t numbers = c10::multiply_integers(parameter.shape);
    const auto [first, last] = world_of(parameter).part(parameter.place, numbers, parameter.row);
    parameter.first = first;
    if (parameter.group != nullptr) {
      part = part_of_row(parameter, parameter.group->part(), first, last);
    } else {
      check(world_->alone() || part.is_contiguous(), "the trained tensor {} is not contiguous",
            parameter.name);
      if (last - first < part.numel()) part = part.view({-1}).narrow(0, first, last - first);
    }
    parameter.own = part;
    const bool wide = part.scalar_type() == at::kFloat || part.scalar_type() == at::kDouble;
    parameter.master = wide ? part : part.to(at::kFloat);
    parameter.mean = at::zeros_like(parameter.master);
    parameter.square = at::zeros_like(parameter.master);
  }
}

// Of this rank's part of the group's row what belongs to the parameter.
Tensor AdamW::part_of_row(const Parameter& parameter, const Tensor& row, int64_t first,
                          int64_t last) {
  if (last == first) return row.narrow(0, 0, 0);
  const World& world = parameter.group->world();
  return row.narrow(0, parameter.place + first - world.begin(parameter.row), last - first);
}

Tensor AdamW::gradient_of(const Parameter& parameter) {
  if (parameter.group != nullptr) {
    const Tensor& row = parameter.group->gradient();
    const int64_t last = parameter.first + parameter.master.numel();
    return row.defined() ? part_of_row(parameter, row, parameter.first, last) : row;
  }
  const Tensor gradient = parameter.weight.grad();
  return gradient.defined() ? own_part(parameter, gradient) : gradient;
}

Tensor AdamW::counted_gradient_of(const Parameter& parameter) {
  return parameter.group != nullptr ? gradient_of(parameter) : parameter.weight.grad();
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
    if (parameter.group != nullptr) continue;
    if (!weight.grad().defined()) weight.mutable_grad() = at::zeros_like(weight.detach());
    gradients.push_back(weight.grad());
  }
  return gradients;
}

double AdamW::gradient_norm() const {
  std::vector<Tensor> whole, parts;
  for (const Parameter& parameter : parameters_) {
    const Tensor gradient = counted_gradient_of(parameter);
    if (!gradient.defined() || gradient.numel() == 0) continue;
    (parameter.group == nullptr ? whole : parts).push_back(gradient);
  }
  double sum = square_sum(whole);
  if (layers_) sum += layers_->world().sum(square_sum(parts), "adding gradients' norms");
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
    Tensor gradient = gradient_of(parameter);
    if (!gradient.defined()) gradient = at::zeros_like(parameter.mean);
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
  std::vector<AdamWTensor> tensors;
  for (const Parameter& parameter : parameters_) {
    const Tensor gradient = counted_gradient_of(parameter);
    if (gradient.defined() && gradient.numel() > 0) gradients.push_back(gradient);
    const bool beside = !parameter.master.is_alias_of(parameter.own);
    tensors.push_back({.master = parameter.master,
                       .mean = parameter.mean,
                       .square = parameter.square,
                       .gradient = gradient_of(parameter),
                       .weight = beside ? parameter.own : Tensor(),
                       .weight_decay = parameter.decays ? options_.weight_decay : 0});
  }
  // Every number is read and written once, where a device has the kernel.
  const bool by_kernel = std::ranges::all_of(
      tensors, [](const AdamWTensor& t) { return !t.master.is_cpu() && takes_adamw(t); });
  if (by_kernel) {
    kernels::on_device::adamw({.learning_rate = learning_rate,
                               .beta1 = options_.beta1,
                               .beta2 = options_.beta2,
                               .epsilon = options_.epsilon,
                               .step = steps_,
                               .factor = scale},
                              tensors);
  } else {
    if (scale != 1) scale_all(gradients, scale);
    update(true, learning_rate);
    update(false, learning_rate);
  }
  tensors.clear();
  std::vector<Tensor> narrow, masters;
  for (Parameter& parameter : parameters_) {
    check(parameter.group == nullptr || !parameter.group->comes_and_goes() ||
              !parameter.group->here(),
          "{} is updated while it is whole", parameter.name);
    if (!by_kernel && !parameter.master.is_alias_of(parameter.own)) {
      narrow.push_back(parameter.own);
      masters.push_back(parameter.master);
    }
    // The fused step does not count its change; what is kept per version (DoRA's norms) needs it.
    parameter.weight.unsafeGetTensorImpl()->bump_version();
  }
  copy_all(narrow, masters);
  clear_gradients();
  if (layers_) layers_->share();
  if (world_->alone()) return;
  std::vector<Tensor> weights;
  for (const Parameter& parameter : parameters_) {
    if (parameter.group == nullptr) weights.push_back(parameter.weight);
  }
  world_->spread(weights, "sharing the updated weights");
}

void AdamW::clear_gradients() {
  for (Parameter& parameter : parameters_) parameter.weight.mutable_grad() = Tensor();
  if (layers_) layers_->clear_gradients();
}

TensorPart AdamW::part_of(const Parameter& parameter, const char* what, const Tensor& part) const {
  return {.name = parameter.name + what,
          .shape = parameter.shape,
          .first = parameter.first,
          .part = part,
          .again = world_->rank() >= world_of(parameter).size()};
}

std::vector<TensorPart> AdamW::state() const {
  std::vector<TensorPart> state;
  for (const Parameter& parameter : parameters_) {
    state.push_back(part_of(parameter, ".exp_avg", parameter.mean));
    state.push_back(part_of(parameter, ".exp_avg_sq", parameter.square));
    if (parameter.master.is_alias_of(parameter.own)) continue;
    state.push_back(part_of(parameter, ".master", parameter.master));
  }
  return state;
}

std::vector<TensorPart> AdamW::weight_parts() const {
  std::vector<TensorPart> parts;
  for (const Parameter& parameter : parameters_) {
    parts.push_back(part_of(parameter, "", parameter.own));
  }
  return parts;
}

std::vector<TensorPart> AdamW::weights_here() const {
  std::vector<TensorPart> weights;
  for (const Parameter& parameter : parameters_) {
    const LayerGroup* group = parameter.group;
    const bool here = group == nullptr || !group->comes_and_goes() || group->here();
    weights.push_back(part_of(parameter, "", here ? parameter.weight.detach() : parameter.own));
    if (here) weights.back().first = 0;
  }
  return weights;
}

}  // namespace alambic
