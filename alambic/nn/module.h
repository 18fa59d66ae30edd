// Modules are plain structs of tensors with one visit(prefix, visitor). Loading, saving,
// optimizing, hashing and finite differences all walk it. Names are Hugging Face's.
#pragma once

#include <concepts>
#include <functional>
#include <string>

#include "alambic/tensor/weight.h"

namespace alambic {

struct Linear;

/// What walks a model: a function of every tensor, or one of every linear map.
class TensorVisitor {
 public:
  using OnTensor = std::function<void(const std::string& name, Tensor& tensor)>;
  using OnWeight = std::function<void(const std::string& name, Weight& weight)>;
  using OnLinear = std::function<void(const std::string& prefix, Linear& linear)>;

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

  void operator()(const std::string& name, Tensor& tensor) const;
  void operator()(const std::string& name, Weight& weight) const;
  /// For Linear::visit alone.
  void linear(const std::string& prefix, Linear& linear) const {
    if (on_linear_) on_linear_(prefix, linear);
  }
  /// The same walk that passes linear maps over: no adapter can be attached to them.
  TensorVisitor without_linears() const;

 private:
  OnTensor on_tensor_;
  OnWeight on_weight_;
  OnLinear on_linear_;
};

/// A tensor with a shape and no data yet.
Tensor placeholder(at::IntArrayRef shape);

}  // namespace alambic
