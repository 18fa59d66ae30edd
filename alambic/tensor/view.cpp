#include "alambic/tensor/view.h"

#include "alambic/base/error.h"
#include "alambic/io/decode.h"
#include "alambic/io/tile_scales.h"

namespace alambic {

namespace {

struct Pair {
  Dtype dtype;
  at::ScalarType type;
};

constexpr Pair pairs[] = {
    {Dtype::BOOL, at::kBool},
    {Dtype::U8, at::kByte},
    {Dtype::I8, at::kChar},
    {Dtype::I16, at::kShort},
    {Dtype::I32, at::kInt},
    {Dtype::I64, at::kLong},
    {Dtype::F16, at::kHalf},
    {Dtype::BF16, at::kBFloat16},
    {Dtype::F32, at::kFloat},
    {Dtype::F64, at::kDouble},
    {Dtype::F8_E4M3, at::kFloat8_e4m3fn},
    {Dtype::F8_E5M2, at::kFloat8_e5m2},
};

}  // namespace

at::ScalarType scalar_type(const TensorView& view) {
  for (const Pair& pair : pairs) {
    if (pair.dtype == view.dtype) return pair.type;
  }
  throw input_error("tensor {}: its dtype {} cannot be computed with", view.name,
                    name_of(view.dtype));
}

Dtype dtype_of(at::ScalarType type) {
  for (const Pair& pair : pairs) {
    if (pair.type == type) return pair.dtype;
  }
  throw bug("no file format for dtype {}", at::toString(type));
}

Tensor to_tensor(const TensorView& view, at::ScalarType dtype, at::Device device) {
  const bool tiled = !view.tiles.bytes.empty();
  if (tiled || is_block(view.dtype)) {
    const Tensor numbers = at::empty(view.shape, at::kFloat);
    const std::span<float> values = {numbers.mutable_data_ptr<float>(),
                                     static_cast<size_t>(numbers.numel())};
    if (tiled) {
      decode_tiles(view, values);
    } else {
      decode(view.dtype, view.bytes, values);
    }
    return numbers.to(device, dtype);
  }
  // from_blob takes a mutable pointer; the clone below only reads.
  auto* bytes = const_cast<std::byte*>(view.bytes.data());
  const Tensor mapped =
      at::from_blob(bytes, view.shape, at::TensorOptions().dtype(scalar_type(view)));
  return mapped.to(at::TensorOptions().dtype(dtype).device(device), /*non_blocking=*/false,
                   /*copy=*/true);
}

Tensor to_tensor_in_place(const TensorView& view, at::ScalarType dtype,
                          const std::shared_ptr<const void>& owner) {
  const auto address = reinterpret_cast<uintptr_t>(view.bytes.data());
  const bool plain = view.tiles.bytes.empty() && !is_block(view.dtype);
  const bool same = plain && scalar_type(view) == dtype;
  if (!same || view.bytes.empty() || address % at::elementSize(dtype) != 0) {
    return to_tensor(view, dtype, at::kCPU);
  }
  // from_blob takes a mutable pointer; nobody writes.
  auto* bytes = const_cast<std::byte*>(view.bytes.data());
  return at::from_blob(
      bytes, view.shape, [owner](void*) {}, at::TensorOptions().dtype(dtype));
}

std::vector<TensorView> to_views(std::vector<std::pair<std::string, Tensor>>& tensors) {
  std::vector<TensorView> views;
  for (auto& [name, tensor] : tensors) {
    tensor = tensor.detach().to(at::kCPU).contiguous();
    const auto* bytes = static_cast<const std::byte*>(tensor.const_data_ptr());
    views.push_back({.name = name,
                     .dtype = dtype_of(tensor.scalar_type()),
                     .shape = tensor.sizes().vec(),
                     .bytes = {bytes, static_cast<size_t>(tensor.nbytes())}});
  }
  return views;
}

}  // namespace alambic
