#include "alambic/model/model.h"

#include "alambic/nn/moe.h"

namespace alambic {

at::TensorOptions Model::options() { return head().weight_VD.options().requires_grad(false); }

int64_t Model::parameters() {
  int64_t count = 0;
  visit([&](const std::string&, const Weight& weight) { count += weight.numel(); });
  return count;
}

at::ScalarType Model::type_of(const std::string& name, at::ScalarType dtype) const {
  return is_constant(name) && dtype != at::kDouble ? at::kFloat : dtype;
}

double Model::saved_activations(double length) {
  double share = 1;  // of the tokens, for a routed expert
  for (const Router* router : routers()) {
    share =
        static_cast<double>(router->options.top_k) / static_cast<double>(router->options.experts);
  }
  double numbers = 0;
  const auto is_routed = [](const std::string& name) {
    return name.find(".experts.") != std::string::npos;
  };
  const Weight head_VD = head().weight_VD;
  visit_linears([&](const std::string& name, Linear& map) {
    if (map.weight.is_same(head_VD)) return;  // logits are made in chunks
    const auto ends = static_cast<double>(map.weight.size(0) + map.weight.size(1));
    numbers += is_routed(name) ? share * ends : ends;
  });
  // Experts in one tensor.
  visit([&](const std::string& name, const Weight& all) {
    if (!is_routed(name) || all.dim() != 3) return;
    numbers += share * static_cast<double>(all.size(0) * (all.size(1) + all.size(2)));
  });
  return numbers + other_activations(length);
}

void Model::set_trainable(bool trainable) {
  visit([&](const std::string& name, Tensor& tensor) {
    tensor.set_requires_grad(trainable && !is_constant(name));
  });
}

void Model::visit_linears(const TensorVisitor::OnLinear& visitor) {
  visit(TensorVisitor::of_linears(visitor));
}

void Model::seed_dropout(int64_t step, int64_t micro_batch) {
  if (!dropout) return;
  dropout->step = static_cast<uint64_t>(step);
  dropout->micro_batch = static_cast<uint64_t>(micro_batch);
}

}  // namespace alambic
