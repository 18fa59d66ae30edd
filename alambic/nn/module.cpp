#include "alambic/nn/module.h"

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
  return at::empty(shape, at::TensorOptions().dtype(at::kFloat).device(at::kMeta));
}

}  // namespace alambic
