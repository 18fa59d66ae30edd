#include <type_traits>

#include "alambic/base/atomic_file.h"
#include "alambic/base/error.h"
#include "alambic/io/gguf/gguf.h"
#include "alambic/io/gguf/types.h"

namespace alambic {

namespace {

template <class Number>
void put(std::string& out, Number number) {
  out.append(reinterpret_cast<const char*>(&number), sizeof number);
}

void put_text(std::string& out, std::string_view text) {
  put<uint64_t>(out, text.size());
  out += text;
}

template <class T>
void put_item(std::string& out, const T& item) {
  if constexpr (std::is_same_v<T, std::string>) {
    put_text(out, item);
  } else if constexpr (std::is_same_v<T, bool>) {
    put<uint8_t>(out, item ? 1 : 0);
  } else {
    put(out, item);
  }
}

void put_array(std::string& out, const GgufArray& array) {
  put<uint32_t>(out, static_cast<uint32_t>(array.index()));
  std::visit(
      [&](const auto& items) {
        using Items = std::decay_t<decltype(items)>;
        if constexpr (!std::is_same_v<Items, std::monostate>) {
          put<uint64_t>(out, items.size());
          for (const auto& item : items) put_item<typename Items::value_type>(out, item);
        }
      },
      array);
}

void put_value(std::string& out, const GgufValue& value) {
  put<uint32_t>(out, static_cast<uint32_t>(value.index()));
  std::visit(
      [&](const auto& v) {
        if constexpr (std::is_same_v<std::decay_t<decltype(v)>, GgufArray>) {
          put_array(out, v);
        } else {
          put_item(out, v);
        }
      },
      value);
}

uint64_t aligned(uint64_t position) {
  return (position + gguf_default_alignment - 1) / gguf_default_alignment * gguf_default_alignment;
}

uint64_t size_of(const GgufTensor& tensor) {
  const auto size = byte_size(tensor.dtype, tensor.shape);
  check(size.has_value(), "tensor {}: its shape makes no whole blocks of {}", tensor.name,
        name_of(tensor.dtype));
  return *size;
}

std::string header_of(const GgufMetadata& metadata, const std::vector<GgufTensor>& tensors) {
  std::string out;
  put<uint32_t>(out, gguf_magic);
  put<uint32_t>(out, 3);
  put<uint64_t>(out, tensors.size());
  put<uint64_t>(out, metadata.items().size());
  for (const auto& [key, value] : metadata.items()) {
    put_text(out, key);
    put_value(out, value);
  }
  uint64_t offset = 0;
  for (const GgufTensor& tensor : tensors) {
    const auto number = ggml_number(tensor.dtype);
    check(number && tensor.shape.size() <= gguf_max_dimensions, "GGUF cannot hold tensor {}",
          tensor.name);
    put_text(out, tensor.name);
    put<uint32_t>(out, static_cast<uint32_t>(tensor.shape.size()));
    for (size_t i = tensor.shape.size(); i-- > 0;) {
      put<uint64_t>(out, static_cast<uint64_t>(tensor.shape[i]));
    }
    put<uint32_t>(out, *number);
    put<uint64_t>(out, offset);
    offset += aligned(size_of(tensor));
  }
  out.resize(aligned(out.size()), '\0');
  return out;
}

}  // namespace

void write_gguf(const fs::path& path, const GgufMetadata& metadata,
                const std::vector<GgufTensor>& tensors) {
  check(metadata.find("general.alignment") == nullptr, "the writer has its own alignment");
  AtomicFile file(path);
  file.write(header_of(metadata, tensors));
  for (const GgufTensor& tensor : tensors) {
    const std::vector<std::byte> bytes = tensor.bytes();
    const uint64_t size = size_of(tensor);
    check(bytes.size() == size, "tensor {} has {} bytes, its shape makes {}", tensor.name,
          bytes.size(), size);
    file.write({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    file.write(std::string(aligned(size) - size, '\0'));
  }
  file.commit();
}

}  // namespace alambic
