// Modules are plain structs of tensors with one visit(prefix, visitor). Loading, saving,
// optimizing, hashing and finite differences all walk it. Names are Hugging Face's.
#pragma once

#include <concepts>
#include <functional>
#include <memory>
#include <string>

#include "alambic/tensor/tensor.h"

namespace alambic {

struct Linear;
struct PackedMatrix;

/// What walks a model: a function of every tensor, or one of every linear map, or one of every
/// matrix that may be packed.
class TensorVisitor {
 public:
  using OnTensor = std::function<void(const std::string& name, Tensor& tensor)>;
  using OnLinear = std::function<void(const std::string& prefix, Linear& linear)>;
  using PackedRef = std::shared_ptr<const PackedMatrix>;
  using OnMatrix = std::function<void(const std::string& name, PackedRef& packed)>;

  /// Called with a tensor's full name and the tensor, which the function may replace. Before
  /// loading tensors live on the "meta" device: they have a shape and no data.
  template <std::invocable<const std::string&, Tensor&> F>
  requires(!std::same_as<std::remove_cvref_t<F>, TensorVisitor>) TensorVisitor(F&& on_tensor)
      : on_tensor_(std::forward<F>(on_tensor)) {}

  /// Called with every linear map instead; `prefix` is its module name ("model.layers.0.…").
  static TensorVisitor of_linears(OnLinear on_linear) {
    TensorVisitor visitor([](const std::string&, Tensor&) {});
    visitor.on_linear_ = std::move(on_linear);
    return visitor;
  }

  /// Called with the place for a packed form of every matrix that can have one; `name` is that of
  /// the tensor in whose stead it is.
  static TensorVisitor of_matrices(OnMatrix on_matrix) {
    TensorVisitor visitor([](const std::string&, Tensor&) {});
    visitor.on_matrix_ = std::move(on_matrix);
    return visitor;
  }

  void operator()(const std::string& name, Tensor& tensor) const { on_tensor_(name, tensor); }
  /// For Linear::visit alone.
  void linear(const std::string& prefix, Linear& linear) const {
    if (on_linear_) on_linear_(prefix, linear);
  }
  /// For the modules that compute with packed matrices.
  void matrix(const std::string& name, PackedRef& packed) const {
    if (on_matrix_) on_matrix_(name, packed);
  }

 private:
  OnTensor on_tensor_;
  OnLinear on_linear_;
  OnMatrix on_matrix_;
};

/// A tensor with a shape and no data yet.
Tensor placeholder(at::IntArrayRef shape);

}  // namespace alambic
