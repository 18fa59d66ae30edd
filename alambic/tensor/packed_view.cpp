#include "alambic/tensor/packed_view.h"

#include "alambic/base/error.h"

namespace alambic {

bool stays_packed(const TensorView& view, at::ScalarType dtype) {
  const bool halves = view.dtype == Dtype::BF16 || view.dtype == Dtype::F16;
  return view.shape.size() >= 2 && view.tiles.bytes.empty() &&
         (is_block(view.dtype) || (halves && dtype == at::kFloat));
}

PackedMatrix to_packed(const TensorView& view, at::ScalarType dtype,
                       const std::shared_ptr<const void>& owner) {
  check(view.shape.size() == 2 && stays_packed(view, dtype), "{} as a packed matrix", view.name);
  return {.dtype = view.dtype,
          .rows = view.shape[0],
          .columns = view.shape[1],
          .bytes = view.bytes,
          .owner = owner,
          .type = dtype};
}

bool can_be_packed(const Tensor& matrix) {
  return matrix.is_cpu() && matrix.scalar_type() == at::kBFloat16 && matrix.dim() == 2 &&
         matrix.is_contiguous();
}

PackedMatrix packed_from(const Tensor& matrix, at::ScalarType type) {
  check(can_be_packed(matrix), "a tensor of {} as a packed matrix",
        at::toString(matrix.scalar_type()));
  const auto* bytes = static_cast<const std::byte*>(matrix.const_data_ptr());
  return {.dtype = Dtype::BF16,
          .rows = matrix.size(0),
          .columns = matrix.size(1),
          .bytes = {bytes, matrix.nbytes()},
          .owner = std::make_shared<const Tensor>(matrix.detach()),
          .type = type};
}

}  // namespace alambic
