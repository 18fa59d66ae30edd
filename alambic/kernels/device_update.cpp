#include "alambic/kernels/device_update.h"

#include <cmath>

#include "alambic/base/error.h"

namespace alambic::kernels::on_device {

bool takes_adamw(const AdamWTensor& tensor) {
  const auto takes = [&](const Tensor& t) {
    return !t.defined() ||
           (t.numel() == tensor.master.numel() && kernels_of(tensor.master, t) != nullptr);
  };
  return tensor.master.scalar_type() == at::kFloat && tensor.master.is_contiguous() &&
         tensor.mean.is_contiguous() && tensor.square.is_contiguous() && takes(tensor.gradient) &&
         takes(tensor.weight) && (!tensor.weight.defined() || tensor.weight.is_contiguous()) &&
         kernels_of(tensor.master, tensor.mean, tensor.square) != nullptr;
}

void adamw(const AdamWStep& step, const std::vector<AdamWTensor>& tensors) {
  if (tensors.empty()) return;
  const DeviceCall call = call_for(tensors.front().master);
  const auto t = static_cast<double>(step.step);
  const double correction1 = 1 - std::pow(step.beta1, t);
  const double correction2 = 1 - std::pow(step.beta2, t);
  DeviceAdamW job = {.tensor = {},
                     .count = 0,
                     .factor = static_cast<float>(step.factor),
                     .scale = nullptr,
                     .beta2 = static_cast<float>(step.beta2),
                     .rest1 = static_cast<float>(1 - step.beta1),
                     .rest2 = static_cast<float>(1 - step.beta2),
                     .step_size = static_cast<float>(step.learning_rate / correction1),
                     .root_correction = static_cast<float>(std::sqrt(correction2)),
                     .epsilon = static_cast<float>(step.epsilon)};
  std::vector<Tensor> dense;  // gradients that must live until their kernel is enqueued
  const auto enqueue = [&] {
    if (job.count > 0) call.run(call.table().adamw, job);
    job.count = 0;
    dense.clear();
  };
  const auto type_of = [](const Tensor& x) {
    return x.defined() ? device_number(x) : DeviceNumber::f32;
  };
  for (const AdamWTensor& tensor : tensors) {
    if (tensor.master.numel() == 0) continue;
    const Tensor gradient =
        tensor.gradient.defined() ? tensor.gradient.contiguous() : tensor.gradient;
    dense.push_back(gradient);
    const double kept = 1 - step.learning_rate * tensor.weight_decay;
    job.tensor[job.count++] = {.master = call.at<float>(tensor.master),
                               .mean = call.at<float>(tensor.mean),
                               .square = call.at<float>(tensor.square),
                               .gradient = call.at(gradient),
                               .weight = call.at(tensor.weight),
                               .n = tensor.master.numel(),
                               .kept = static_cast<float>(kept),
                               .gradient_type = type_of(gradient),
                               .weight_type = type_of(tensor.weight)};
    if (job.count == most_device_tensors) enqueue();
  }
  enqueue();
}

ClippedNorm clipped_norm(const std::vector<Tensor>& gradients, double most) {
  check(!gradients.empty(), "the norm of no gradients");
  const DeviceCall call = call_for(gradients.front());
  int64_t count = 0;
  for (const Tensor& gradient : gradients) count += squares_parts(gradient.numel());
  const auto numbers = gradients.front().options().dtype(at::kDouble).requires_grad(false);
  const Tensor parts = at::empty({count}, numbers);
  const ClippedNorm result{at::empty({}, numbers), at::empty({}, numbers.dtype(at::kFloat))};
  DeviceSquares job = {.gradient = {}, .count = 0, .parts = call.at<double>(parts)};
  int64_t parts_of_job = 0;
  const auto enqueue = [&] {
    if (job.count > 0) call.run(call.table().squares, job);
    job.parts += parts_of_job;
    job.count = 0;
    parts_of_job = 0;
  };
  for (const Tensor& gradient : gradients) {
    check(gradient.is_contiguous(), "a gradient that is not contiguous");
    job.gradient[job.count++] = {call.at(gradient), gradient.numel(), device_number(gradient)};
    parts_of_job += squares_parts(gradient.numel());
    if (job.count == most_device_tensors) enqueue();
  }
  enqueue();
  call.run(call.table().clip, {.parts = call.at<double>(parts),
                               .count = count,
                               .most = most,
                               .norm = call.at<double>(result.norm),
                               .scale = call.at<float>(result.scale)});
  return result;
}

}  // namespace alambic::kernels::on_device
