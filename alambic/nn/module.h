// Modules are plain structs of tensors with one visit(prefix, visitor). Loading, saving,
// optimizing, hashing and finite differences all walk it. Names are Hugging Face's.
#pragma once

#include <concepts>
#include <functional>
#include <string>

#include "alambic/tensor/weight.h"

namespace alambic {

struct Linear;
struct Router;

/// Function for the one walk over a model's blocks: a function of every tensor, or one of every
/// linear map or router, or of what each block keeps for a backward pass.
class TensorVisitor {
 public:
  using OnTensor = std::function<void(const std::string& name, Tensor& tensor)>;
  using OnWeight = std::function<void(const std::string& name, Weight& weight)>;
  using OnLinear = std::function<void(const std::string& prefix, Linear& linear)>;
  using OnRouter = std::function<void(Router& router)>;
  using OnActivations = std::function<void(double numbers)>;

  /// Called with a tensor's full name and the tensor, which the function may replace. Before
  /// loading tensors live on the "meta" device: they have a shape and no data. A model with packed
  /// weights is refused, unless the function takes `const Weight&`: then it reads both forms, and
  /// sees every other tensor as a dense one.
  template <std::invocable<const std::string&, Tensor&> F>
  requires(!std::same_as<std::remove_cvref_t<F>, TensorVisitor>) TensorVisitor(F&& visit) {
    if constexpr (std::invocable<F&, const std::string&, const Weight&>) {
      on_weight_ = std::forward<F>(visit);
    } else {
      on_tensor_ = std::forward<F>(visit);
    }
  }

  /// Called with every weight that may be packed and every tensor that is not one; the functions
  /// may replace either.
  TensorVisitor(OnTensor on_tensor, OnWeight on_weight)
      : on_tensor_(std::move(on_tensor)), on_weight_(std::move(on_weight)) {}

  /// Called with every linear map instead; `prefix` is its module name ("model.layers.0.…").
  static TensorVisitor of_linears(OnLinear on_linear) {
    TensorVisitor visitor([](const std::string&, const Weight&) {});
    visitor.on_linear_ = std::move(on_linear);
    return visitor;
  }

  /// Called with the linear maps of routed experts alone.
  static TensorVisitor of_expert_linears(OnLinear on_linear) {
    TensorVisitor visitor = of_linears(std::move(on_linear));
    visitor.experts_only_ = true;
    return visitor;
  }

  /// Called with every router, in the order of the layers.
  static TensorVisitor of_routers(OnRouter on_router) {
    TensorVisitor visitor = of_linears({});
    visitor.on_router_ = std::move(on_router);
    return visitor;
  }

  /// Called with what each block keeps for a backward pass, in numbers per token of a sequence of
  /// `length` tokens; of a routed expert, by the share of the tokens that it gets.
  static TensorVisitor of_activations(double length, OnActivations on_activations) {
    TensorVisitor visitor = of_linears({});
    visitor.on_activations_ = std::move(on_activations);
    visitor.length_ = length;
    return visitor;
  }

  void operator()(const std::string& name, Tensor& tensor) const;
  void operator()(const std::string& name, Weight& weight) const;
  /// Call for a linear map; by Linear::visit alone.
  void linear(const std::string& prefix, Linear& linear) const {
    if (on_linear_ && (routed_ || !experts_only_)) on_linear_(prefix, linear);
  }
  /// Call for a router, by the blocks that have one.
  void router(Router& router) const {
    if (on_router_) on_router_(router);
  }
  /// Call for every block that keeps more than the inputs and outputs of its linear maps, which
  /// those tell themselves: `numbers(length)` per token. Inputs of several maps count several
  /// times, which stands for the norms and sums between.
  template <std::invocable<double> F>
  void activations(const F& numbers) const {
    if (on_activations_) on_activations_(share_ * static_cast<double>(numbers(length_)));
  }
  /// Visitor of the experts of a router that sends `share` of the tokens to each.
  TensorVisitor of_experts(double share) const {
    TensorVisitor visitor = *this;
    visitor.share_ = share;
    visitor.routed_ = true;
    return visitor;
  }
  /// The same walk that passes linear maps over: no adapter can be attached to them.
  TensorVisitor without_linears() const;

 private:
  OnTensor on_tensor_;
  OnWeight on_weight_;
  OnLinear on_linear_;
  OnRouter on_router_;
  OnActivations on_activations_;
  double length_ = 0, share_ = 1;
  bool experts_only_ = false, routed_ = false;
};

/// A tensor with a shape and no data yet.
Tensor placeholder(at::IntArrayRef shape);

}  // namespace alambic
