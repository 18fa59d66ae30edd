#include "alambic/io/gguf/transform.h"

#include <algorithm>

#include "alambic/base/error.h"
#include "alambic/base/printable.h"
#include "alambic/io/gguf/delta_net.h"
#include "alambic/io/gguf/parts.h"
#include "alambic/io/quant/decode.h"
#include "alambic/io/quant/encode.h"
#include "alambic/io/quant/tile_scales.h"

namespace alambic {

namespace {

// Place in GGUF of a row of Hugging Face's.
struct RowOrder {
  int64_t parts;  // parts of each head
  int64_t (*gguf_row)(int64_t row, int64_t heads, int64_t part_rows);
};

// Row 2j + s of a head in GGUF is row s · half + j in Hugging Face's folder.
constexpr RowOrder interleaved{2, [](int64_t row, int64_t /*heads*/, int64_t half) {
                                 const int64_t i = row % (2 * half);
                                 return row - i + i % half * 2 + i / half;
                               }};

// Head by part is part by head.
constexpr RowOrder by_part{3, [](int64_t row, int64_t heads, int64_t width) {
                             const int64_t head = row / (3 * width), part = row / width % 3;
                             return (part * heads + head) * width + row % width;
                           }};

TransformedTensor permuted(const TensorView& tensor, bool to_gguf, int64_t heads,
                           const RowOrder& order, const std::string& where) {
  const int64_t rows = tensor.shape.empty() ? 0 : tensor.shape[0];
  if (rows == 0 || rows % (order.parts * heads) != 0) {
    throw input_error("cannot convert {}: tensor {} has {} rows, which {} heads cannot share",
                      where, printable(tensor.name), rows, heads);
  }
  if (tensor.shape.size() == 1 && is_block(tensor.dtype)) {  // a block is more than a row
    return permuted(view_of(as_floats(tensor, where), tensor.name), to_gguf, heads, order, where);
  }
  const auto reorder = [=, bytes = tensor.bytes] {
    const int64_t part_rows = rows / heads / order.parts;
    const auto row_bytes = static_cast<int64_t>(bytes.size()) / rows;
    std::vector<std::byte> changed(bytes.size());
    const std::byte* source = bytes.data();
    for (int64_t row = 0; row < rows; ++row) {
      const int64_t gguf_row = order.gguf_row(row, heads, part_rows);
      const int64_t from = to_gguf ? row : gguf_row, to = to_gguf ? gguf_row : row;
      std::copy_n(source + from * row_bytes, row_bytes, changed.begin() + to * row_bytes);
    }
    return changed;
  };
  return {tensor.dtype, tensor.shape, {tensor.bytes.size(), reorder}};
}

TransformedTensor transposed(const TensorView& tensor, const std::string& where) {
  if (tensor.shape.size() == 1) {  // the bias of a transposed matrix
    return {tensor.dtype, tensor.shape, tensor.bytes};
  }
  if (tensor.shape.size() != 2) {
    throw input_error("cannot convert {}: tensor {} should have two dimensions, found {}", where,
                      printable(tensor.name), tensor.shape.size());
  }
  if (is_block(tensor.dtype)) {
    return transposed(view_of(as_floats(tensor, where), tensor.name), where);
  }
  const int64_t rows = tensor.shape[0], columns = tensor.shape[1];
  const auto size = static_cast<int64_t>(block_bits(tensor.dtype) / 8);
  const auto turn = [=, bytes = tensor.bytes] {
    std::vector<std::byte> changed(bytes.size());
    const std::byte* source = bytes.data();
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t c = 0; c < columns; ++c) {
        std::copy_n(source + (r * columns + c) * size, size,
                    changed.begin() + (c * rows + r) * size);
      }
    }
    return changed;
  };
  return {tensor.dtype, {columns, rows}, {tensor.bytes.size(), turn}};
}

// Gemma's norms, which scale by 1 + weight.
TransformedTensor shifted(const TensorView& tensor, float by, const std::string& where) {
  const TransformedTensor floats = as_floats(tensor, where);
  const auto shift = [=] {
    std::vector<float> numbers = floats_of(tensor, where);
    for (float& number : numbers) number += by;
    return encode(Dtype::F32, numbers);
  };
  return {Dtype::F32, tensor.shape, {floats.bytes.size(), shift}};
}

void check_decodable(const TensorView& tensor, const std::string& where) {
  if (!tensor.tiles.bytes.empty() || is_decodable(tensor.dtype)) return;
  throw input_error("cannot convert {}: tensor {} is {}, which holds no floating numbers", where,
                    printable(tensor.name), name_of(tensor.dtype));
}

}  // namespace

std::vector<float> floats_of(const TensorView& tensor, const std::string& where) {
  check_decodable(tensor, where);
  std::vector<float> numbers(static_cast<size_t>(count_of(tensor.shape)));
  if (tensor.tiles.bytes.empty()) {
    decode(tensor.dtype, tensor.bytes, numbers);
  } else {
    decode_tiles(tensor, numbers);
  }
  return numbers;
}

TransformedTensor as_floats(const TensorView& tensor, const std::string& where) {
  check_decodable(tensor, where);
  const auto numbers = static_cast<size_t>(count_of(tensor.shape));
  return {Dtype::F32, tensor.shape, {numbers * sizeof(float), [=] {
                                       return encode(Dtype::F32, floats_of(tensor, where));
                                     }}};
}

TensorView view_of(const TransformedTensor& tensor, const std::string& name) {
  return {.name = name, .dtype = tensor.dtype, .shape = tensor.shape, .bytes = tensor.bytes};
}

TransformedTensor change_tensor(const TensorView& tensor, GgufTransform change, bool to_gguf,
                                const GgufHeads& heads, const std::string& where) {
  if (!tensor.tiles.bytes.empty()) {
    return change_tensor(view_of(as_floats(tensor, where), tensor.name), change, to_gguf, heads,
                         where);
  }
  switch (change) {
    case GgufTransform::none:
      return {tensor.dtype, tensor.shape, tensor.bytes};
    case GgufTransform::query_rows:
      return permuted(tensor, to_gguf, heads.query, interleaved, where);
    case GgufTransform::key_rows:
      return permuted(tensor, to_gguf, heads.key, interleaved, where);
    case GgufTransform::head_parts:
      return permuted(tensor, to_gguf, heads.query, by_part, where);
    case GgufTransform::transpose:
      return transposed(tensor, where);
    case GgufTransform::plus_one:
      return shifted(tensor, to_gguf ? 1.0F : -1.0F, where);
    default:
      if (is_of_delta_net(change)) return change_delta_net(tensor, change, to_gguf, heads, where);
      check(to_gguf, "tensor {} is a part of another", tensor.name);
      return part_of(tensor, change, heads, where);
  }
}

std::vector<int64_t> changed_shape(const TensorView& tensor, GgufTransform change,
                                   const GgufHeads& heads, const std::string& where) {
  if (is_part(change)) return part_shape(change, tensor.shape, heads, tensor.name, where);
  if (is_of_delta_net(change)) return delta_net_shape(tensor, change, /*to_gguf=*/true, where);
  std::vector<int64_t> shape = tensor.shape;
  if (change == GgufTransform::transpose) std::ranges::reverse(shape);
  return shape;
}

}  // namespace alambic
