#include "alambic/nn/recompute.h"

#include "alambic/dist/layer_weights.h"
#include "alambic/tensor/function.h"

namespace alambic {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

thread_local bool recomputes = false;
thread_local LayerWeights* weights_of_layers = nullptr;

/// A layer of a learning pass, with its number among those of its weights.
struct NumberedLayer {
  LayerRuns::Layer layer;
  LayerWeights* weights = nullptr;
  int64_t number = 0;

  std::vector<Tensor> forward(const std::vector<Tensor>& inputs) const {
    if (weights == nullptr) return layer(inputs);
    weights->enter(number, /*backward=*/false);
    std::vector<Tensor> outputs = layer(inputs);
    weights->leave(number);
    return outputs;
  }
};

struct LayerHolder : torch::CustomClassHolder {
  NumberedLayer layer;
  explicit LayerHolder(NumberedLayer layer) : layer(std::move(layer)) {}
};

struct LayerFunction : torch::autograd::Function<LayerFunction> {
  // `anchor` wants a gradient: the outputs then do, whether or not an input does (an adapter
  // behind frozen embeddings).
  static variable_list forward(AutogradContext* context, const NumberedLayer& layer,
                               const Tensor& /*anchor*/, at::TensorList inputs) {
    context->save_for_backward(inputs.vec());
    context->set_materialize_grads(false);  // some outputs may stay unread
    context->saved_data["layer"] =
        c10::IValue::make_capsule(c10::make_intrusive<LayerHolder>(layer));
    // With gradients, as the second time: the same kernels, and dropout. What they keep is freed
    // with the undetached results.
    const at::AutoGradMode with_gradient(true);
    return detached(layer.forward(detached(inputs)));
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    variable_list inputs = detached(context->get_saved_variables());
    const size_t before = 2;  // layer and anchor, which get no gradient
    for (size_t i = 0; i < inputs.size(); ++i) {
      inputs[i].requires_grad_(context->needs_input_grad(i + 1));
    }
    const auto holder = context->saved_data["layer"].toCapsule();
    const at::AutoGradMode with_gradient(true);
    const NumberedLayer& layer = static_cast<const LayerHolder&>(*holder).layer;
    if (layer.weights != nullptr) layer.weights->enter(layer.number, /*backward=*/true);
    const variable_list outputs = layer.layer(inputs);
    variable_list from, with;  // tensors that are read later, and their gradients
    for (size_t i = 0; i < outputs.size(); ++i) {
      if (!outputs[i].requires_grad() || !gradients[i].defined()) continue;
      from.push_back(outputs[i]);
      with.push_back(gradients[i]);
    }
    if (!from.empty()) torch::autograd::backward(from, with);
    if (layer.weights != nullptr) layer.weights->leave_learned(layer.number);
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

WithWeights::WithWeights(LayerWeights* weights) : before_(weights_of_layers) {
  weights_of_layers = weights;
}
WithWeights::~WithWeights() { weights_of_layers = before_; }

struct LayerRuns::Kept {
  Packed input;
  Pass pass;
  explicit Kept(const Pass& of) : input(of.input), pass(of, input) {}
};

LayerRuns::LayerRuns(const Pass& pass) : pass_(&pass), weights_(weights_of_layers) {
  const bool reduces = weights_ != nullptr && weights_->trained();
  if (weights_ != nullptr) weights_->begin_pass();
  if (!(recomputes || reduces) || pass.cache != nullptr || !at::GradMode::is_enabled()) return;
  kept_ = std::make_shared<const Kept>(pass);
  pass_ = &kept_->pass;
}

std::vector<Tensor> LayerRuns::run(const Layer& layer, const std::vector<Tensor>& inputs) const {
  const NumberedLayer numbered{.layer = layer, .weights = weights_, .number = next_++};
  if (!kept_) return numbered.forward(inputs);
  const Tensor anchor =
      at::zeros({}, inputs[0].options().requires_grad(false)).set_requires_grad(true);
  return LayerFunction::apply(numbered, anchor, at::TensorList(inputs));
}

}  // namespace alambic
