#include "alambic/io/gguf/delta_net.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "alambic/base/error.h"
#include "alambic/base/printable.h"
#include "alambic/io/quant/decode.h"
#include "alambic/io/quant/encode.h"

namespace alambic {

namespace {

using enum GgufTransform;

Error misfit(const TensorView& tensor, const std::string& where) {
  return input_error("cannot convert {}: tensor {} of shape [{}] does not fit the configuration",
                     where, printable(tensor.name), fmt::join(tensor.shape, ", "));
}

// Value heads in a storage: in each of `times` stretches of `stride` bytes the last ones, of
// `bytes` each.
struct HeadPlaces {
  int64_t times, stride, bytes;
};

std::vector<std::byte> move_heads(std::span<const std::byte> from, const HeadPlaces& places,
                                  const GgufDeltaNet& net, bool to_gguf) {
  const int64_t each = net.value_heads / net.key_heads;  // value heads of a key head
  std::vector<std::byte> to(from.begin(), from.end());
  for (int64_t time = 0; time < places.times; ++time) {
    const int64_t first = (time + 1) * places.stride - net.value_heads * places.bytes;
    for (int64_t head = 0; head < net.value_heads; ++head) {
      const int64_t in_gguf = head % each * net.key_heads + head / each;
      const int64_t source = to_gguf ? head : in_gguf, target = to_gguf ? in_gguf : head;
      std::copy_n(from.begin() + first + source * places.bytes, places.bytes,
                  to.begin() + first + target * places.bytes);
    }
  }
  return to;
}

// When they are asked for.
TensorBytes moved(const TensorBytes& from, const HeadPlaces& places, const GgufDeltaNet& net,
                  bool to_gguf) {
  return {from.size(), [=] { return move_heads(from, places, net, to_gguf); }};
}

// The value heads are the last rows, each of several or, in vectors and gates, of one.
HeadPlaces row_places(const TensorView& tensor, const GgufDeltaNet& net, const std::string& where) {
  const int64_t rows = tensor.shape.empty() ? 0 : tensor.shape[0];
  const int64_t width = rows == net.value_heads ? 1 : net.value_width;
  const auto size = static_cast<int64_t>(tensor.bytes.size());
  if (rows < 1 || rows < net.value_heads * width || size == 0) throw misfit(tensor, where);
  return {1, size, size / rows * width};
}

TransformedTensor change_columns(const TensorView& tensor, bool to_gguf, const GgufDeltaNet& net,
                                 const std::string& where) {
  if (tensor.shape.size() != 2 || tensor.shape[1] != net.value_heads * net.value_width) {
    throw misfit(tensor, where);
  }
  if (static_cast<uint64_t>(net.value_width) % block_numel(tensor.dtype) != 0) {
    return change_columns(view_of(as_floats(tensor, where), tensor.name), to_gguf, net, where);
  }
  const int64_t rows = std::max<int64_t>(tensor.shape[0], 1);
  const int64_t row = static_cast<int64_t>(tensor.bytes.size()) / rows;
  return {tensor.dtype, tensor.shape,
          moved(tensor.bytes, {rows, row, row / net.value_heads}, net, to_gguf)};
}

// A state keeps exp(-exp(A_log) · …) of itself; GGUF has -exp(A_log).
TransformedTensor change_decay(const TensorView& tensor, bool to_gguf, const GgufDeltaNet& net,
                               const std::string& where) {
  const TensorView floats = view_of(as_floats(tensor, where), tensor.name);
  const auto change = [=] {
    std::vector<float> numbers = floats_of(tensor, where);
    for (float& number : numbers) {
      if (!to_gguf && !(number < 0)) {
        throw input_error("cannot load {}: tensor {} should have numbers below 0, found {}", where,
                          printable(tensor.name), number);
      }
      number = to_gguf ? -std::exp(number) : std::log(-number);
    }
    return encode(Dtype::F32, numbers);
  };
  return {Dtype::F32, tensor.shape,
          moved({floats.bytes.size(), change}, row_places(floats, net, where), net, to_gguf)};
}

}  // namespace

bool is_of_delta_net(GgufTransform change) {
  return change == value_rows || change == value_channels || change == value_columns ||
         change == decay || change == one_row;
}

std::vector<int64_t> delta_net_shape(const TensorView& tensor, GgufTransform change, bool to_gguf,
                                     const std::string& where) {
  const std::vector<int64_t>& shape = tensor.shape;
  if (change != value_channels && change != one_row) return shape;
  const bool channels = change == value_channels;
  const size_t one = channels ? 1 : 0;  // the dimension that GGUF lacks
  if (to_gguf) {
    if (shape.size() != (channels ? 3 : 2) || shape[one] != 1) throw misfit(tensor, where);
    std::vector<int64_t> other = shape;
    other.erase(other.begin() + static_cast<int64_t>(one));
    return other;
  }
  if (!channels && shape.size() == 2 && shape[0] == 1) return shape;  // some files keep it
  if (shape.size() != (channels ? 2 : 1)) throw misfit(tensor, where);
  std::vector<int64_t> other = shape;
  other.insert(other.begin() + static_cast<int64_t>(one), 1);
  return other;
}

TransformedTensor change_delta_net(const TensorView& tensor, GgufTransform change, bool to_gguf,
                                   const GgufHeads& heads, const std::string& where) {
  const GgufDeltaNet& net = heads.delta_net;
  const std::vector<int64_t> shape = delta_net_shape(tensor, change, to_gguf, where);
  if (change == one_row) {
    return {tensor.dtype, shape, tensor.bytes};
  }
  constexpr int64_t max = int64_t{1} << 20;  // so that products do not overflow
  if (net.key_heads < 1 || net.value_heads < 1 || net.value_width < 1 || net.value_heads > max ||
      net.value_width > max || net.value_heads % net.key_heads != 0) {
    throw misfit(tensor, where);
  }
  if (change == decay) return change_decay(tensor, to_gguf, net, where);
  if (change == value_columns) return change_columns(tensor, to_gguf, net, where);
  if (tensor.shape.size() == 1 && is_block(tensor.dtype)) {  // a block is more than a row
    return change_delta_net(view_of(as_floats(tensor, where), tensor.name), change, to_gguf, heads,
                            where);
  }
  return {tensor.dtype, shape, moved(tensor.bytes, row_places(tensor, net, where), net, to_gguf)};
}

}  // namespace alambic
