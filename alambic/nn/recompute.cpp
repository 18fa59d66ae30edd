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
  // `anchor` wants a gradient: the output then does, whether or not the input does (an adapter
  // behind frozen embeddings).
  static Tensor forward(AutogradContext* context, const Tensor& x_ND, const Tensor& /*anchor*/,
                        const LayerRuns::Layer& layer) {
    context->save_for_backward({x_ND});
    context->saved_data["layer"] =
        c10::IValue::make_capsule(c10::make_intrusive<LayerHolder>(layer));
    // With gradients, as the second time: the same kernels, and dropout. What they keep is freed
    // with the undetached result.
    const at::AutoGradMode with_gradient(true);
    return layer(x_ND.detach()).detach();
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const Tensor x_ND =
        context->get_saved_variables()[0].detach().requires_grad_(context->needs_input_grad(0));
    const auto holder = context->saved_data["layer"].toCapsule();
    const at::AutoGradMode with_gradient(true);
    const Tensor y_ND = static_cast<const LayerHolder&>(*holder).layer(x_ND);
    if (y_ND.requires_grad()) y_ND.backward(gradients[0]);
    return {x_ND.grad(), Tensor(), Tensor()};
  }
};

}  // namespace

RecomputeLayers::RecomputeLayers(bool on) : before_(recomputes) { recomputes = on; }
RecomputeLayers::~RecomputeLayers() { recomputes = before_; }

struct LayerRuns::Kept {
  Packed input;
  Pass pass;
  explicit Kept(const Pass& of) : input(of.input), pass(input) {}
};

LayerRuns::LayerRuns(const Pass& pass) : pass_(&pass) {
  if (!recomputes || pass.cache != nullptr || !at::GradMode::is_enabled()) return;
  kept_ = std::make_shared<const Kept>(pass);
  pass_ = &kept_->pass;
}

Tensor LayerRuns::run_twice(const Layer& layer, const Tensor& x_ND) {
  const Tensor anchor = at::zeros({}, x_ND.options().requires_grad(false)).set_requires_grad(true);
  return LayerFunction::apply(x_ND, anchor, layer);
}

}  // namespace alambic
