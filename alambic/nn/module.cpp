#include "alambic/nn/module.h"

#include <fmt/format.h>

#include "alambic/base/error.h"

namespace alambic {

void TensorVisitor::operator()(const std::string& name, Tensor& tensor) const {
  if (on_tensor_) return on_tensor_(name, tensor);
  Weight weight(tensor);
  on_weight_(name, weight);
}

void TensorVisitor::operator()(const std::string& name, Weight& weight) const {
  if (on_weight_) return on_weight_(name, weight);
  on_tensor_(name, weight.dense(name));
}

TensorVisitor TensorVisitor::without_linears() const {
  TensorVisitor visitor = *this;
  visitor.on_linear_ = nullptr;
  return visitor;
}

Tensor placeholder(at::IntArrayRef shape) {
  // Sizes come from a configuration that no file bounds; torch would call an overflow its own.
  int64_t numbers = 1;
  for (const int64_t size : shape) {
    if (!__builtin_mul_overflow(numbers, size, &numbers) && numbers < int64_t{1} << 60) continue;
    throw input_error(
        "cannot build the model: its configuration makes a tensor of shape [{}], more numbers than "
        "a computer can address",
        fmt::join(shape, ", "));
  }
  return at::empty(shape, at::TensorOptions().dtype(at::kFloat).device(at::kMeta));
}

}  // namespace alambic
