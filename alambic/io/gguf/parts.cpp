#include "alambic/io/gguf/parts.h"

#include <fmt/format.h>

#include <algorithm>
#include <mutex>

#include "alambic/base/error.h"
#include "alambic/base/printable.h"
#include "alambic/io/quant/decode.h"
#include "alambic/io/quant/encode.h"
#include "alambic/io/quant/mxfp4.h"
#include "alambic/io/strided_copy.h"

namespace alambic {

namespace {

// The folder's kv_b_proj has [key without turn | value] of each head in turn.
int64_t head_rows(const GgufHeads& heads) { return heads.nope_width + heads.value_width; }

int64_t column_of(GgufTransform change) { return change == GgufTransform::odd_columns ? 1 : 0; }

bool of_columns(GgufTransform change) {
  return change == GgufTransform::even_columns || change == GgufTransform::odd_columns;
}

// Places of a part's numbers in the whole; no sizes: the whole has no such part.
Strided places(GgufTransform change, const std::vector<int64_t>& whole, const GgufHeads& heads) {
  const int64_t columns = whole.empty() ? 0 : whole.back();
  switch (change) {
    case GgufTransform::latent_keys:
    case GgufTransform::latent_values: {
      const int64_t rows = head_rows(heads);
      if (whole.size() != 2 || rows < 1 || whole[0] % rows != 0 || whole[0] / rows != heads.query) {
        return {};
      }
      const int64_t head = rows * columns;
      if (change == GgufTransform::latent_keys) {
        return {0, {heads.query, columns, heads.nope_width}, {head, 1, columns}};
      }
      return {heads.nope_width * columns,
              {heads.query, heads.value_width, columns},
              {head, columns, 1}};
    }
    case GgufTransform::even_columns:
    case GgufTransform::odd_columns:
      if (columns % 2 != 0) return {};
      if (whole.size() == 2) return {column_of(change), {whole[0], columns / 2}, {columns, 2}};
      if (whole.size() != 3) return {};
      return {
          column_of(change), {whole[0], columns / 2, whole[1]}, {whole[1] * columns, 2, columns}};
    case GgufTransform::transposed_experts:
      if (whole.size() != 3) return {};
      return {0, {whole[0], columns, whole[1]}, {whole[1] * columns, 1, columns}};
    default:
      return {};
  }
}

// The shape of the tensor whose part has the shape `part`; empty: of none.
std::vector<int64_t> whole_shape(GgufTransform change, const std::vector<int64_t>& part,
                                 const GgufHeads& heads) {
  const bool matrices = part.size() == 3;
  if (of_columns(change)) {
    if (part.size() == 2) return {part[0], 2 * part[1]};
    return matrices ? std::vector{part[0], part[2], 2 * part[1]} : std::vector<int64_t>{};
  }
  if (!matrices) return {};
  if (change == GgufTransform::transposed_experts) return {part[0], part[2], part[1]};
  const int64_t columns = change == GgufTransform::latent_keys ? part[1] : part[2];
  return {heads.query * head_rows(heads), columns};
}

Error misfit(const std::string& name, const std::vector<int64_t>& shape, const std::string& where) {
  return input_error("cannot convert {}: tensor {} of shape [{}] does not fit the configuration",
                     where, printable(name), fmt::join(shape, ", "));
}

// In `dtype`, which is the tensor's own or F32.
TensorBytes as(Dtype dtype, const TensorView& tensor, const std::string& where) {
  return tensor.dtype == dtype ? tensor.bytes : as_floats(tensor, where).bytes;
}

// MXFP4 has the same numbers and exponents on both sides, in another order.
WholeTensor whole_of_mxfp4(const std::vector<GgufPart>& parts, const std::vector<int64_t>& shape) {
  constexpr int64_t scaled = 32;
  struct Both {
    std::once_flag once;
    std::vector<std::byte> blocks, scales;
  };
  const auto both = std::make_shared<Both>();
  const auto make = [=] {
    const int64_t each = std::ssize(parts);
    for (const GgufPart& part : parts) {
      const int64_t first = each == 1 ? 0 : column_of(part.change);
      put_mxfp4(part.tensor, first, each, both->blocks, both->scales);
    }
  };
  // Each is asked for once: by its TensorBytes.
  const auto half = [=](std::vector<std::byte> Both::*which) {
    return [=] {
      std::call_once(both->once, make);
      return std::move((*both).*which);
    };
  };
  const auto numbers = static_cast<size_t>(count_of(shape));
  return {.tensor = {Dtype::F4, shape, {numbers / 2, half(&Both::blocks)}},
          .scales = {numbers / scaled, half(&Both::scales)},
          .scaled = scaled};
}

}  // namespace

bool is_part(GgufTransform change) {
  return of_columns(change) || change == GgufTransform::latent_keys ||
         change == GgufTransform::latent_values || change == GgufTransform::transposed_experts;
}

std::vector<int64_t> part_shape(GgufTransform change, const std::vector<int64_t>& whole,
                                const GgufHeads& heads, const std::string& name,
                                const std::string& where) {
  const Strided place = places(change, whole, heads);
  if (place.sizes.empty()) throw misfit(name, whole, where);
  return place.sizes;
}

TransformedTensor part_of(const TensorView& whole, GgufTransform change, const GgufHeads& heads,
                          const std::string& where) {
  const Dtype dtype = is_block(whole.dtype) ? Dtype::F32 : whole.dtype;
  const Strided place = places(change, whole.shape, heads);
  if (place.sizes.empty()) throw misfit(whole.name, whole.shape, where);
  const TensorBytes bytes = as(dtype, whole, where);
  const uint64_t number_bytes = block_bits(dtype) / 8;
  const auto size = static_cast<size_t>(count_of(place.sizes)) * number_bytes;
  return {dtype, place.sizes, {size, [=] { return copy_in_order(place, bytes, number_bytes); }}};
}

std::vector<std::byte> mxfp4_part_of(const TensorView& whole, GgufTransform change) {
  const bool columns = of_columns(change);
  return take_mxfp4(whole, columns ? column_of(change) : 0, columns ? 2 : 1);
}

WholeTensor whole_of(const std::vector<GgufPart>& parts, const GgufHeads& heads,
                     const std::string& where) {
  const TensorView& first = parts[0].tensor;
  const std::vector<int64_t> shape = whole_shape(parts[0].change, first.shape, heads);
  for (const GgufPart& part : parts) {
    if (shape.empty() || places(part.change, shape, heads).sizes != part.tensor.shape) {
      throw misfit(part.tensor.name, part.tensor.shape, where);
    }
  }
  const auto all_are = [&](Dtype dtype) {
    return std::ranges::all_of(parts, [=](const auto& part) { return part.tensor.dtype == dtype; });
  };
  if (all_are(Dtype::MXFP4) && shape.size() == 3) return whole_of_mxfp4(parts, shape);
  const Dtype dtype = all_are(first.dtype) && !is_block(first.dtype) ? first.dtype : Dtype::F32;
  const uint64_t number_bytes = block_bits(dtype) / 8;
  std::vector<std::pair<Strided, TensorBytes>> placed;
  for (const GgufPart& part : parts) {
    placed.emplace_back(places(part.change, shape, heads), as(dtype, part.tensor, where));
  }
  const auto size = static_cast<size_t>(count_of(shape)) * number_bytes;
  return {.tensor = {dtype, shape, {size, [=] {
                                      std::vector<std::byte> whole(size);
                                      for (const auto& [place, bytes] : placed) {
                                        put_in_places(place, bytes, whole, number_bytes);
                                      }
                                      return whole;
                                    }}}};
}

}  // namespace alambic
