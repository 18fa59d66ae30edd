#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "alambic/base/atomic_file.h"
#include "alambic/base/error.h"
#include "alambic/base/names.h"
#include "alambic/io/safetensors.h"

namespace alambic {

namespace {

// A reader would refuse the file, so the mistake must not get into it.
void check_tensors(const std::vector<TensorView>& tensors) {
  std::set<std::string_view> names;
  for (const TensorView& tensor : tensors) {
    check(tensor.name != "__metadata__" && names.insert(tensor.name).second,
          "two tensors called {} cannot be written to one file", tensor.name);
    check(!is_block(tensor.dtype), "tensor {}: safetensors has no format {}", tensor.name,
          name_of(tensor.dtype));
    check(tensor.tiles.bytes.empty(), "tensor {} would lose its scales", tensor.name);
    const auto bytes = byte_size(tensor.dtype, tensor.shape);
    check(bytes == tensor.bytes.size(), "tensor {} has {} bytes, its shape makes {}", tensor.name,
          tensor.bytes.size(), bytes.value_or(0));
  }
}

std::string header_of(const std::vector<TensorView>& tensors,
                      const std::map<std::string, std::string>& metadata) {
  std::vector<std::string> items;
  if (!metadata.empty()) {
    items.push_back(R"("__metadata__":)" + nlohmann::json(metadata).dump());
  }
  uint64_t position = 0;
  for (const TensorView& tensor : tensors) {
    const uint64_t end = position + tensor.bytes.size();
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

}  // namespace

void write_safetensors(const fs::path& path, std::vector<TensorView> tensors,
                       const std::map<std::string, std::string>& metadata) {
  check_tensors(tensors);
  std::ranges::sort(tensors, [](const TensorView& a, const TensorView& b) {
    return a.dtype != b.dtype ? a.dtype > b.dtype : a.name < b.name;
  });
  const std::string header = header_of(tensors, metadata);
  const uint64_t length = header.size();
  AtomicFile file(path);
  file.write(text_of(std::as_bytes(std::span(&length, 1))));
  file.write(header);
  for (const TensorView& tensor : tensors) file.write(text_of(tensor.bytes));
  file.commit();
}

}  // namespace alambic
