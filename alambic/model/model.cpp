#include "alambic/model/model.h"

#include "alambic/base/error.h"
#include "alambic/nn/dense_parts.h"
#include "alambic/nn/moe.h"

namespace alambic {

at::TensorOptions Model::options() { return head().weight_VD.options().requires_grad(false); }

Tensor Model::hidden(const Pass& pass) const {
  const bool drops = dropout && dropout->rate > 0 && at::GradMode::is_enabled();
  if (drops || pass.shared) return hidden_rows(pass);
  const Pass rows = pass.with_shared_prefixes();
  const Tensor hidden_RD = hidden_rows(rows);
  if (rows.shared && pass.outputs != nullptr) {
    for (auto& [layer, x] : pass.outputs->x_ND) x = rows.to_positions(x);
  }
  return rows.to_positions(hidden_RD);
}

std::string Model::undivided(int64_t) const {
  return "its layers have no heads and columns that ranks could divide";
}

std::unique_ptr<Model> Model::part(const std::shared_ptr<const World>&, LayerWeights*) const {
  throw bug("a part of a model that is not divided");
}

int64_t Model::parameters() {
  int64_t count = 0;
  visit([&](const std::string&, const Weight& weight) { count += weight.numel(); });
  return count;
}

at::ScalarType Model::type_of(const std::string& name, at::ScalarType dtype) const {
  return is_constant(name) && dtype != at::kDouble ? at::kFloat : dtype;
}

double Model::saved_activations(double length) {
  double numbers = 0;
  visit(TensorVisitor::of_activations(length, [&](double more) { numbers += more; }));
  const Weight head_VD = head().weight_VD;
  visit_linears([&](const std::string&, Linear& map) {
    if (map.weight.is_same(head_VD)) numbers -= static_cast<double>(map.in() + map.out());
  });
  return numbers;
}

std::vector<Router*> Model::routers() {
  std::vector<Router*> found;
  visit(TensorVisitor::of_routers([&](Router& router) { found.push_back(&router); }));
  return found;
}

void Model::set_trainable(bool trainable) {
  const auto set = [&](const std::string& name, Tensor& tensor) {
    tensor.set_requires_grad(trainable && !is_constant(name));
  };
  visit(trainable ? TensorVisitor(set) : of_dense(set));
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
