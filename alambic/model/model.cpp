#include "alambic/model/model.h"

namespace alambic {

at::TensorOptions Model::options() { return head().weight_VD.options().requires_grad(false); }

int64_t Model::parameters() {
  int64_t count = 0;
  visit([&](const std::string&, Tensor& tensor) { count += tensor.numel(); });
  return count;
}

at::ScalarType Model::type_of(const std::string& name, at::ScalarType dtype) const {
  return is_constant(name) && dtype != at::kDouble ? at::kFloat : dtype;
}

void Model::set_trainable(bool trainable) {
  visit([&](const std::string& name, Tensor& tensor) {
    tensor.set_requires_grad(trainable && !is_constant(name));
  });
}

void Model::visit_linears(const TensorVisitor::OnLinear& visitor) {
  visit(TensorVisitor::of_linears(visitor));
}

void Model::place_dropout(int64_t step, int64_t micro_batch) {
  if (!dropout) return;
  dropout->step = static_cast<uint64_t>(step);
  dropout->micro_batch = static_cast<uint64_t>(micro_batch);
}

}  // namespace alambic
