#include <algorithm>
#include <memory>
#include <type_traits>

#include "alambic/base/atomic_file.h"
#include "alambic/base/error.h"
#include "alambic/base/file_system.h"
#include "alambic/io/gguf/gguf.h"
#include "alambic/io/gguf/split.h"
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

std::string header_of(const GgufMetadata& metadata, std::span<const GgufTensor> tensors) {
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

// Consecutive tensors that fit into `bytes`; one that is larger is alone. At least one run.
std::vector<std::span<const GgufTensor>> runs_of(const std::vector<GgufTensor>& tensors,
                                                 uint64_t bytes) {
  std::vector<std::span<const GgufTensor>> runs;
  size_t first = 0;
  uint64_t held = 0;
  for (size_t i = 0; i < tensors.size(); ++i) {
    const uint64_t size = aligned(size_of(tensors[i]));
    if (i > first && size > bytes - std::min(held, bytes)) {
      runs.push_back(std::span(tensors).subspan(first, i - first));
      first = i;
      held = 0;
    }
    held += size;
  }
  runs.push_back(std::span(tensors).subspan(first));
  return runs;
}

void write_tensors(AtomicFile& file, std::span<const GgufTensor> tensors) {
  for (const GgufTensor& tensor : tensors) {
    const std::vector<std::byte> bytes = tensor.bytes();
    const uint64_t size = size_of(tensor);
    check(bytes.size() == size, "tensor {} has {} bytes, its shape makes {}", tensor.name,
          bytes.size(), size);
    file.write({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    file.write(std::string(aligned(size) - size, '\0'));
  }
}

std::vector<fs::path> paths_of(const GgufPlace& place, size_t parts) {
  std::vector<fs::path> paths;
  for (size_t i = 0; i < parts; ++i) {
    paths.push_back(parts == 1 ? place.path
                               : gguf_part_path(place.path, static_cast<int64_t>(i) + 1,
                                                static_cast<int64_t>(parts)));
    if (place.replace || !is_file(paths.back())) continue;  // a pipe takes them
    throw input_error("{} exists already", paths.back().string())
        .with_hint("--overwrite replaces it");
  }
  return paths;
}

}  // namespace

std::vector<fs::path> write_gguf(const GgufPlace& place, const GgufMetadata& metadata,
                                 const std::vector<GgufTensor>& tensors) {
  check(metadata.find("general.alignment") == nullptr, "the writer has its own alignment");
  const auto runs = runs_of(tensors, place.part_bytes);
  const auto count = static_cast<int64_t>(runs.size());
  if (count > std::numeric_limits<uint16_t>::max()) {
    throw input_error("cannot write {}: so small parts would be {}", place.path.string(), count)
        .with_hint("a larger --split-size");
  }
  const std::vector<fs::path> paths = paths_of(place, runs.size());
  std::vector<std::unique_ptr<AtomicFile>> files;  // all appear when all are written
  for (int64_t i = 0; i < count; ++i) {
    const auto index = static_cast<size_t>(i);
    GgufMetadata own = i == 0 ? metadata : GgufMetadata();
    if (count > 1) add_gguf_part(own, i, count, std::ssize(tensors));
    files.push_back(std::make_unique<AtomicFile>(paths[index]));
    files.back()->write(header_of(own, runs[index]));
    write_tensors(*files.back(), runs[index]);
  }
  for (const auto& file : files) file->commit();
  return paths;
}

}  // namespace alambic
