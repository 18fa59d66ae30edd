#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "alambic/base/atomic_file.h"
#include "alambic/base/error.h"
#include "alambic/base/names.h"
#include "alambic/io/safetensors.h"
#include "alambic/io/safetensors_bytes.h"

namespace alambic {

namespace {

// A reader would refuse the file, so the mistake must not get into it.
void check_tensors(const std::vector<TensorSource>& tensors) {
  std::set<std::string_view> names;
  for (const TensorSource& tensor : tensors) {
    check(tensor.name != "__metadata__" && names.insert(tensor.name).second,
          "two tensors called {} cannot be written to one file", tensor.name);
    check(!is_block(tensor.dtype), "tensor {}: safetensors has no format {}", tensor.name,
          name_of(tensor.dtype));
  }
}

std::string header_of(const std::vector<TensorSource>& tensors,
                      const std::map<std::string, std::string>& metadata) {
  std::vector<std::string> items;
  if (!metadata.empty()) {
    items.push_back(R"("__metadata__":)" + nlohmann::json(metadata).dump());
  }
  uint64_t position = 0;
  for (const TensorSource& tensor : tensors) {
    const uint64_t end = position + byte_size(tensor);
    // nlohmann escapes names as the reference library does.
    items.push_back(fmt::format(R"({}:{{"dtype":"{}","shape":{},"data_offsets":[{},{}]}})",
                                nlohmann::json(tensor.name).dump(), name_of(tensor.dtype),
                                nlohmann::json(tensor.shape).dump(), position, end));
    position = end;
  }
  std::string header = "{" + join(items, ",") + "}";
  header.resize((header.size() + 7) / 8 * 8, ' ');
  return header;
}

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Hands the file's parts to `write`, in order.
template <class Write>
void write_parts(std::vector<TensorSource>&& tensors,
                 const std::map<std::string, std::string>& metadata, const Write& write) {
  std::ranges::sort(tensors, [](const TensorSource& a, const TensorSource& b) {
    return a.dtype != b.dtype ? a.dtype > b.dtype : a.name < b.name;
  });
  const std::string header = header_of(tensors, metadata);
  const uint64_t length = header.size();
  write(text_of(std::as_bytes(std::span(&length, 1))));
  write(header);
  for (const TensorSource& tensor : tensors) {
    write_bytes(tensor, [&](std::span<const std::byte> bytes) { write(text_of(bytes)); });
  }
}

}  // namespace

void write_safetensors(const fs::path& path, std::vector<TensorSource> tensors,
                       const std::map<std::string, std::string>& metadata) {
  check_tensors(tensors);  // before there is a file
  AtomicFile file(path);
  write_parts(std::move(tensors), metadata, [&](std::string_view part) { file.write(part); });
  file.commit();
}

std::string safetensors_bytes(const std::vector<TensorView>& tensors,
                              const std::map<std::string, std::string>& metadata) {
  std::vector<TensorSource> sources = sources_of(tensors);
  check_tensors(sources);
  std::string bytes;
  write_parts(std::move(sources), metadata, [&](std::string_view part) { bytes += part; });
  return bytes;
}

void write_safetensors(const fs::path& path, const std::vector<TensorView>& tensors,
                       const std::map<std::string, std::string>& metadata) {
  write_safetensors(path, sources_of(tensors), metadata);
}

}  // namespace alambic
