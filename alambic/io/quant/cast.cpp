#include "alambic/io/quant/cast.h"

#include <algorithm>

#include "alambic/base/error.h"
#include "alambic/io/quant/decode.h"
#include "alambic/io/quant/encode.h"
#include "alambic/io/quant/tile_scales.h"

namespace alambic {

namespace {

bool has_tiles(const TensorView& tensor) { return !tensor.tiles.bytes.empty(); }

std::vector<float> numbers_of(const TensorView& tensor) {
  std::vector<float> numbers(static_cast<size_t>(count_of(tensor.shape)));
  if (has_tiles(tensor)) {
    decode_tiles(tensor, numbers);
  } else {
    decode(tensor.dtype, tensor.bytes, numbers);
  }
  return numbers;
}

}  // namespace

Dtype main_dtype(const std::vector<TensorView>& tensors) {
  const auto largest = std::ranges::max_element(
      tensors, {}, [](const TensorView& tensor) { return count_of(tensor.shape); });
  if (largest == tensors.end()) return Dtype::F32;
  return has_tiles(*largest) ? Dtype::BF16 : largest->dtype;
}

TensorSource cast_tensor(const TensorView& tensor, Dtype dtype, const std::string& model) {
  const bool stays = tensor.dtype == dtype || !is_decodable(tensor.dtype);
  if (stays && !has_tiles(tensor)) return source_of(tensor);
  // The only one of the three that cannot hold every float32. Found while it is written, it would
  // leave half a model behind.
  if (dtype == Dtype::F16) {
    if (const std::string fault = fault_of(dtype, numbers_of(tensor)); !fault.empty()) {
      throw input_error("cannot convert {}: tensor {}: {}", model, tensor.name, fault)
          .with_hint("--dtype bfloat16 has the range of float32");
    }
  }
  return {
      .name = tensor.name,
      .dtype = dtype,
      .shape = tensor.shape,
      .write = [tensor, dtype](const ByteSink& sink) { sink(encode(dtype, numbers_of(tensor))); }};
}

}  // namespace alambic
