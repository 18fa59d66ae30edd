#include "alambic/tensor/weight.h"

#include "alambic/base/error.h"
#include "alambic/io/dtype.h"
#include "alambic/tensor/packed_view.h"

namespace alambic {

Weight::Weight(PackedMatrix packed_ED)
    : form_(std::make_shared<const PackedMatrix>(std::move(packed_ED))) {}

bool Weight::is_packed() const { return std::holds_alternative<Packed>(form_); }

bool Weight::defined() const { return is_packed() || std::get<Tensor>(form_).defined(); }

Tensor& Weight::dense(std::string_view name) & {
  if (is_packed()) {
    throw bug("{} is packed ({}, [{}, {}]): it has no tensor to train, change or save", name,
              name_of(packed().dtype), packed().rows, packed().columns)
        .with_hint("load the model without `frozen`");
  }
  return std::get<Tensor>(form_);
}

Tensor Weight::dense(std::string_view name) const& {
  Weight same = *this;
  return same.dense(name);
}

const PackedMatrix& Weight::packed() const {
  check(is_packed(), "a dense weight has no blocks");
  return *std::get<Packed>(form_);
}

int64_t Weight::dim() const { return std::ssize(sizes()); }

int64_t Weight::size(int64_t axis) const { return sizes().at(static_cast<size_t>(axis)); }

int64_t Weight::numel() const {
  return is_packed() ? packed().rows * packed().columns : std::get<Tensor>(form_).numel();
}

std::vector<int64_t> Weight::sizes() const {
  if (!is_packed()) return std::get<Tensor>(form_).sizes().vec();
  const PackedMatrix& stack = packed();
  if (stack.matrices == 0) return {stack.rows, stack.columns};
  const int64_t rows = stack.rows / stack.matrices;
  if (stack.order == StackOrder::input_major) return {stack.matrices, stack.columns, rows};
  return {stack.matrices, rows, stack.columns};
}

at::TensorOptions Weight::options() const {
  return is_packed() ? at::dtype(packed().type).device(packed().device())
                     : std::get<Tensor>(form_).options();
}

at::ScalarType Weight::scalar_type() const {
  return is_packed() ? packed().type : std::get<Tensor>(form_).scalar_type();
}

at::Device Weight::device() const {
  return is_packed() ? packed().device() : std::get<Tensor>(form_).device();
}

bool Weight::is_meta() const { return !is_packed() && std::get<Tensor>(form_).is_meta(); }

bool Weight::is_same(const Weight& other) const {
  if (is_packed() != other.is_packed()) return false;
  return is_packed() ? &packed() == &other.packed()
                     : std::get<Tensor>(form_).is_same(std::get<Tensor>(other.form_));
}

bool Weight::requires_grad() const {
  return !is_packed() && std::get<Tensor>(form_).requires_grad();
}

Tensor Weight::rows(const Tensor& ids_N) const {
  return is_packed() ? packed().decoded(ids_N) : at::embedding(std::get<Tensor>(form_), ids_N);
}

Tensor Weight::decoded() const { return decoded(scalar_type()); }

Tensor Weight::decoded(at::ScalarType dtype) const {
  if (!is_packed()) return std::get<Tensor>(form_).to(dtype);
  PackedMatrix matrix = packed();
  matrix.type = dtype;
  const Tensor numbers = matrix.decoded(0, matrix.rows);
  if (matrix.matrices == 0) return numbers;
  const Tensor stack = numbers.view({matrix.matrices, -1, matrix.columns});
  return matrix.order == StackOrder::input_major ? stack.transpose(1, 2) : stack;
}

std::vector<Weight> Weight::matrices() const {
  std::vector<Weight> parts;
  if (!is_packed()) {
    for (const Tensor& part : std::get<Tensor>(form_).unbind()) parts.emplace_back(part);
    return parts;
  }
  const int64_t count = packed().matrices, rows = count == 0 ? 0 : packed().rows / count;
  for (int64_t i = 0; i < count; ++i) parts.emplace_back(packed().part(i * rows, rows));
  return parts;
}

Weight Weight::piece(int64_t begin, int64_t count) const {
  if (is_packed()) return Weight(packed().part(begin, count));
  return std::get<Tensor>(form_).narrow(0, begin, count);
}

Weight Weight::constant(at::ScalarType dtype) const {
  if (is_packed()) return *this;
  const Tensor& dense_ED = std::get<Tensor>(form_);
  if (dtype == at::kFloat && can_be_packed(dense_ED)) return Weight(packed_from(dense_ED, dtype));
  return dense_ED.detach().to(dtype);
}

}  // namespace alambic
