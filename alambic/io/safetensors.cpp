#include "alambic/io/safetensors.h"

#include <algorithm>
#include <cstring>

#include "alambic/base/error.h"
#include "alambic/base/printable.h"
#include "alambic/io/safetensors_header.h"

namespace alambic {

namespace {

constexpr uint64_t max_header = 100'000'000;  // the reference library's limit

// The JSON header's text, checked against the file's length.
std::string_view header_text(std::span<const std::byte> file, const std::string& name) {
  const std::string_view text(reinterpret_cast<const char*>(file.data()), file.size());
  if (text.starts_with("version https://git-lfs")) {
    throw input_error("cannot read {}: it only points to a file in Git LFS", name)
        .with_hint("fetch the file itself: git lfs pull");
  }
  uint64_t length = 0;
  if (file.size() < sizeof length) {
    throw input_error("cannot read {}: a safetensors file begins with 8 bytes, it has {}", name,
                      file.size())
        .with_hint("an incomplete download?");
  }
  std::memcpy(&length, file.data(), sizeof length);
  if (length > max_header) {
    throw input_error("cannot read {}: its header would be {} bytes long, more than {}", name,
                      length, max_header)
        .with_hint("is it a safetensors file?");
  }
  if (length > file.size() - sizeof length) {
    throw input_error("cannot read {}: its header should be {} bytes long, but only {} follow",
                      name, length, file.size() - sizeof length)
        .with_hint("an incomplete download?");
  }
  return text.substr(sizeof length, length);
}

// Every tensor as long as its shape says, one after another, all of the data and no more.
// `entries` are in the order of their bytes.
void check_layout(const std::vector<HeaderEntry>& entries, uint64_t data, const std::string& name) {
  uint64_t position = 0;
  for (const HeaderEntry& entry : entries) {
    const auto refused = [&]<class... Args>(fmt::format_string<Args...> format, Args&&... args) {
      return input_error("cannot read {}: tensor {}: {}", name, printable(entry.name),
                         fmt::format(format, std::forward<Args>(args)...));
    };
    if (entry.begin > entry.end) {
      throw refused("its data_offsets run backwards, from {} to {}", entry.begin, entry.end);
    }
    if (entry.begin != position) {
      throw refused("it begins at byte {}, {} at {}", entry.begin,
                    entry.begin < position ? "inside the tensor before, which ends"
                                           : "leaving a hole after the tensor before, which ends",
                    position);
    }
    const auto expected = byte_size(entry.dtype, entry.shape);
    if (!expected) {
      throw refused("its shape makes no whole number of bytes, or more than 2^64 bits");
    }
    if (entry.end - entry.begin != *expected) {
      throw refused("its shape and dtype {} make {} bytes, its data_offsets {}",
                    name_of(entry.dtype), *expected, entry.end - entry.begin);
    }
    if (entry.end > data) {
      throw refused("it ends at byte {}, but the file holds only {} bytes of data", entry.end, data)
          .with_hint("an incomplete download?");
    }
    position = entry.end;
  }
  if (position != data) {
    throw input_error("cannot read {}: {} bytes follow the last tensor, which ends at byte {}",
                      name, data - position, position);
  }
}

}  // namespace

SafetensorsHeader parse_safetensors(std::span<const std::byte> file, const std::string& name) {
  const std::string_view text = header_text(file, name);
  HeaderEntries entries = read_header_entries(text, name);
  std::ranges::sort(entries.tensors, {},
                    [](const HeaderEntry& entry) { return std::pair(entry.begin, entry.end); });
  const std::span<const std::byte> data = file.subspan(sizeof(uint64_t) + text.size());
  check_layout(entries.tensors, data.size(), name);
  SafetensorsHeader header{.metadata = std::move(entries.metadata)};
  header.tensors.reserve(entries.tensors.size());
  for (HeaderEntry& entry : entries.tensors) {
    header.tensors.push_back({.name = std::move(entry.name),
                              .dtype = entry.dtype,
                              .shape = std::move(entry.shape),
                              .bytes = data.subspan(entry.begin, entry.end - entry.begin)});
  }
  return header;
}

SafetensorsFile::SafetensorsFile(MappedFile file, SafetensorsHeader header)
    : file_(std::move(file)), header_(std::move(header)) {
  for (const TensorView& tensor : header_.tensors) by_name_.emplace(tensor.name, &tensor);
}

SafetensorsFile SafetensorsFile::open(const fs::path& path, Pages pages) {
  MappedFile file = MappedFile::open(path, pages);
  SafetensorsHeader header = parse_safetensors(file.bytes(), path.string());
  return {std::move(file), std::move(header)};
}

const TensorView* SafetensorsFile::find(std::string_view name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : found->second;
}

}  // namespace alambic
