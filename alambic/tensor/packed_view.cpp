#include "alambic/tensor/packed_view.h"

#include "alambic/base/error.h"
#include "alambic/io/quant/mxfp4.h"
#include "alambic/io/quant/tile_scales.h"

namespace alambic {

namespace {

// The numbers of FP4 as blocks of MXFP4 in memory of their own.
void put_blocks(PackedMatrix& matrix, std::vector<std::byte> blocks) {
  const auto owner = std::make_shared<const std::vector<std::byte>>(std::move(blocks));
  matrix.dtype = Dtype::MXFP4;
  matrix.bytes = *owner;
  matrix.owner = owner;
}

std::shared_ptr<const Tiles> tiles_of(const TensorView& view) {
  const TileScales& tiles = view.tiles;
  return std::make_shared<const Tiles>(
      Tiles{.scales = tile_scales(view),
            .rows = tiles.rows,
            .columns = tiles.columns,
            .across = (view.shape.back() + tiles.columns - 1) / tiles.columns});
}

}  // namespace

bool stays_packed(const TensorView& view, at::ScalarType dtype) {
  const size_t axes = view.shape.size();
  if (axes != 2 && axes != 3) return false;
  if (view.dtype == Dtype::F4) return true;
  if (!view.tiles.bytes.empty()) return axes == 2 && view.dtype == Dtype::F8_E4M3;
  const bool halves = view.dtype == Dtype::BF16 || view.dtype == Dtype::F16;
  return is_block(view.dtype) || (halves && dtype == at::kFloat);
}

PackedMatrix to_packed(const TensorView& view, at::ScalarType dtype,
                       const std::shared_ptr<const void>& owner) {
  check(stays_packed(view, dtype), "{} as a packed matrix", view.name);
  const bool stack = view.shape.size() == 3;
  const bool turned = stack && view.dtype == Dtype::F4;  // mxfp4.h: column by column
  PackedMatrix matrix = {.dtype = view.dtype,
                         .rows = stack ? view.shape[0] * view.shape[turned ? 2 : 1] : view.shape[0],
                         .columns = turned ? view.shape[1] : view.shape.back(),
                         .owner = owner,
                         .type = dtype,
                         .matrices = stack ? view.shape[0] : 0,
                         .order = turned ? StackOrder::input_major : StackOrder::output_major};
  if (view.dtype == Dtype::F4) {
    put_blocks(matrix, stack ? take_mxfp4(view, 0, 1) : mxfp4_blocks(view));
    return matrix;
  }
  matrix.bytes = view.bytes;
  if (!view.tiles.bytes.empty()) matrix.tiles = tiles_of(view);
  return matrix;
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
