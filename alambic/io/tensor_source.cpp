#include "alambic/io/tensor_source.h"

#include "alambic/base/error.h"

namespace alambic {

uint64_t byte_size(const TensorSource& tensor) {
  const auto size = byte_size(tensor.dtype, tensor.shape);
  check(size.has_value(), "tensor {}: its shape makes no whole blocks of {}", tensor.name,
        name_of(tensor.dtype));
  return *size;
}

void write_bytes(const TensorSource& tensor, const ByteSink& sink) {
  uint64_t written = 0;
  tensor.write([&](std::span<const std::byte> bytes) {
    written += bytes.size();
    sink(bytes);
  });
  check(written == byte_size(tensor), "tensor {} has {} bytes, its shape makes {}", tensor.name,
        written, byte_size(tensor));
}

TensorSource source_of(const TensorView& view) {
  check(view.tiles.bytes.empty(), "tensor {} would lose its scales", view.name);
  return {.name = view.name,
          .dtype = view.dtype,
          .shape = view.shape,
          .write = [bytes = view.bytes](const ByteSink& sink) { sink(bytes); }};
}

std::vector<TensorSource> sources_of(const std::vector<TensorView>& views) {
  std::vector<TensorSource> sources;
  for (const TensorView& view : views) sources.push_back(source_of(view));
  return sources;
}

}  // namespace alambic
