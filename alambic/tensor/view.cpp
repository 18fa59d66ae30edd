#include "alambic/tensor/view.h"

#include <algorithm>

#include "alambic/base/error.h"
#include "alambic/io/quant/decode.h"
#include "alambic/io/quant/tile_scales.h"

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

Tensor to_tensor(const TensorView& view, at::ScalarType dtype, at::Device device,
                 const std::function<void(std::span<const std::byte>)>& read) {
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
    if (read) read(view.bytes);
    return numbers.to(device, dtype);
  }
  // from_blob takes a mutable pointer; what follows only reads.
  auto* bytes = const_cast<std::byte*>(view.bytes.data());
  Tensor copy = at::empty(view.shape, at::TensorOptions().dtype(dtype).device(device));
  const Tensor to = copy.view({-1});
  const Tensor from =
      at::from_blob(bytes, to.sizes(), at::TensorOptions().dtype(scalar_type(view)));
  const auto size = static_cast<int64_t>(from.element_size());
  constexpr int64_t part = int64_t{1} << 22;
  for (int64_t begin = 0; begin < to.numel(); begin += part) {
    const int64_t count = std::min(part, to.numel() - begin);
    to.narrow(0, begin, count).copy_(from.narrow(0, begin, count));
    if (read) read(view.bytes.subspan(begin * size, count * size));
  }
  return copy;
}

bool in_place(const TensorView& view, at::ScalarType dtype) {
  const auto address = reinterpret_cast<uintptr_t>(view.bytes.data());
  const bool plain = view.tiles.bytes.empty() && !is_block(view.dtype);
  return plain && !view.bytes.empty() && scalar_type(view) == dtype &&
         address % at::elementSize(dtype) == 0;
}

Tensor to_tensor_in_place(const TensorView& view, const std::shared_ptr<const void>& owner) {
  // from_blob takes a mutable pointer, whether or not the memory may be written.
  auto* bytes = const_cast<std::byte*>(view.bytes.data());
  return at::from_blob(
      bytes, view.shape, [owner](void*) {}, at::TensorOptions().dtype(scalar_type(view)));
}

TensorSource source_of(const std::string& name, at::ScalarType type, std::vector<int64_t> shape,
                       std::function<Tensor()> make) {
  const auto write = [type, make = std::move(make)](const ByteSink& sink) {
    const at::NoGradGuard no_grad;
    const Tensor numbers = make().to(at::kCPU, type).contiguous();
    sink({static_cast<const std::byte*>(numbers.const_data_ptr()), numbers.nbytes()});
  };
  return {.name = name, .dtype = dtype_of(type), .shape = std::move(shape), .write = write};
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
