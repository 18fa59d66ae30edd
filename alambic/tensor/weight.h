#pragma once

#include <memory>
#include <string_view>
#include <variant>
#include <vector>

#include "alambic/tensor/packed_matrix.h"

namespace alambic {

/// Weight matrix of a model, [E, D] or a vocabulary's [V, D], or a stack of an MoE layer's, in one
/// of two forms: dense, or packed in the format of its file and decoded a few rows at a time, where
/// it is used. A handle, as a Tensor is: copies share the numbers. Its products are kernels::linear
/// (kernels/weight_linear.h), the one other place that asks for the form.
class Weight {
 public:
  Weight() = default;  ///< neither form: see defined()
  Weight(Tensor dense_ED) : form_(std::move(dense_ED)) {}
  explicit Weight(PackedMatrix packed_ED);

  bool defined() const;
  bool is_packed() const;

  /// Tensor of a dense weight: what is trained, written to or saved. A packed weight has none;
  /// asking for it is a bug, whose message begins with `name`.
  Tensor& dense(std::string_view name = "a weight") &;
  Tensor dense(std::string_view name = "a weight") const&;
  /// Blocks of a packed weight; of a dense one a bug.
  const PackedMatrix& packed() const;

  int64_t dim() const;
  int64_t size(int64_t axis) const;
  int64_t numel() const;
  std::vector<int64_t> sizes() const;
  /// Dtype and device of what is computed with it: those that packed rows are decoded to.
  at::TensorOptions options() const;
  at::ScalarType scalar_type() const;
  at::Device device() const;
  bool is_meta() const;
  /// Whether both are handles of the same numbers, as a tied head and the embedding are.
  bool is_same(const Weight& other) const;
  /// Always false of a packed weight.
  bool requires_grad() const;

  /// Rows that `ids_N` (int64) names, [N, D]: an embedding. Differentiable where dense.
  Tensor rows(const Tensor& ids_N) const;
  /// All numbers in the shape of sizes(): a dense weight's own tensor, a packed one's decoded anew.
  /// For matrices that are small beside the model, and those that are written to a file.
  Tensor decoded() const;
  /// The same; packed numbers are rounded to `dtype` alone.
  Tensor decoded(at::ScalarType dtype) const;
  /// The matrices of a stack: those of a dense one are its parts along the first axis, and their
  /// gradients one tensor; those of a packed one have their outputs as rows.
  std::vector<Weight> matrices() const;
  /// Weight of `count` rows from `begin` on; shares the numbers.
  Weight piece(int64_t begin, int64_t count) const;
  /// Weight for products with inputs of `dtype` that are not differentiated: dense numbers are
  /// brought to it here, packed ones stay as they are and are brought to it as they are decoded.
  Weight constant(at::ScalarType dtype) const;

 private:
  using Packed = std::shared_ptr<const PackedMatrix>;
  std::variant<Tensor, Packed> form_;
};

}  // namespace alambic
