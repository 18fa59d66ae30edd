#include "alambic/nn/recompute.h"

#include "alambic/tensor/function.h"

namespace alambic {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

thread_local bool recomputes = false;

struct LayerHolder : torch::CustomClassHolder {
  LayerRuns::Layer layer;
  explicit LayerHolder(LayerRuns::Layer layer) : layer(std::move(layer)) {}
};

struct LayerFunction : torch::autograd::Function<LayerFunction> {
  // `anchor` wants a gradient: the outputs then do, whether or not an input does (an adapter
  // behind frozen embeddings).
  static variable_list forward(AutogradContext* context, const LayerRuns::Layer& layer,
                               const Tensor& /*anchor*/, at::TensorList inputs) {
    context->save_for_backward(inputs.vec());
    context->set_materialize_grads(false);  // some outputs may stay unread
    context->saved_data["layer"] =
        c10::IValue::make_capsule(c10::make_intrusive<LayerHolder>(layer));
    // With gradients, as the second time: the same kernels, and dropout. What they keep is freed
    // with the undetached results.
    const at::AutoGradMode with_gradient(true);
    return detached(layer(detached(inputs)));
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    variable_list inputs = detached(context->get_saved_variables());
    const size_t before = 2;  // layer and anchor, which get no gradient
    for (size_t i = 0; i < inputs.size(); ++i) {
      inputs[i].requires_grad_(context->needs_input_grad(i + 1));
    }
    const auto holder = context->saved_data["layer"].toCapsule();
    const at::AutoGradMode with_gradient(true);
    const variable_list outputs = static_cast<const LayerHolder&>(*holder).layer(inputs);
    variable_list from, with;  // tensors that are read later, and their gradients
    for (size_t i = 0; i < outputs.size(); ++i) {
      if (!outputs[i].requires_grad() || !gradients[i].defined()) continue;
      from.push_back(outputs[i]);
      with.push_back(gradients[i]);
    }
    if (!from.empty()) torch::autograd::backward(from, with);
    variable_list result(before);
    for (const Tensor& input : inputs) result.push_back(input.grad());
    return result;
  }

 private:
  static variable_list detached(at::TensorList tensors) {
    variable_list result;
    for (const Tensor& tensor : tensors) result.push_back(tensor.detach());
    return result;
  }
};

}  // namespace

RecomputeLayers::RecomputeLayers(bool on) : before_(recomputes) { recomputes = on; }
RecomputeLayers::~RecomputeLayers() { recomputes = before_; }

struct LayerRuns::Kept {
  Packed input;
  Pass pass;
  explicit Kept(const Pass& of) : input(of.input), pass(of, input) {}
};

LayerRuns::LayerRuns(const Pass& pass) : pass_(&pass) {
  if (!recomputes || pass.cache != nullptr || !at::GradMode::is_enabled()) return;
  kept_ = std::make_shared<const Kept>(pass);
  pass_ = &kept_->pass;
}

std::vector<Tensor> LayerRuns::run(const Layer& layer, const std::vector<Tensor>& inputs) const {
  if (!kept_) return layer(inputs);
  const Tensor anchor =
      at::zeros({}, inputs[0].options().requires_grad(false)).set_requires_grad(true);
  return LayerFunction::apply(layer, anchor, at::TensorList(inputs));
}

}  // namespace alambic
