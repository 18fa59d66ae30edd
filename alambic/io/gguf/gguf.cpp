#include "alambic/io/gguf/gguf.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <unordered_set>

#include "alambic/base/error.h"
#include "alambic/base/printable.h"
#include "alambic/io/gguf/split.h"
#include "alambic/io/gguf/types.h"

namespace alambic {

namespace {

// Walks over the header. Every read names what is read and checks that the file holds it.
class Cursor {
 public:
  Cursor(std::span<const std::byte> file, const std::string& name) : file_(file), name_(name) {}

  template <class Number>
  Number number(const std::string& what) {
    need(sizeof(Number), what);
    Number number;
    std::memcpy(&number, file_.data() + position_, sizeof number);
    position_ += sizeof number;
    return number;
  }

  std::string text(const std::string& what) {
    const auto length = number<uint64_t>("the length of " + what);
    need(length, what);
    const auto* begin = reinterpret_cast<const char*>(file_.data() + position_);
    position_ += length;
    return {begin, length};
  }

  void need(uint64_t bytes, const std::string& what) const {
    if (bytes <= left()) return;
    throw refused("{} should take {} bytes, but only {} are left", what, bytes, left())
        .with_hint("an incomplete download?");
  }

  uint64_t left() const { return file_.size() - position_; }
  uint64_t position() const { return position_; }

  template <class... Args>
  Error refused(fmt::format_string<Args...> format, Args&&... args) const {
    return input_error("cannot read {}: {}", name_,
                       fmt::format(format, std::forward<Args>(args)...));
  }

 private:
  std::span<const std::byte> file_;
  const std::string& name_;
  uint64_t position_ = 0;
};

template <class T>
T read_item(Cursor& cursor, const std::string& what) {
  if constexpr (std::is_same_v<T, std::string>) {
    return cursor.text(what);
  } else if constexpr (std::is_same_v<T, bool>) {
    const auto byte = cursor.number<uint8_t>(what);
    if (byte > 1) throw cursor.refused("{} should be 0 or 1, found {}", what, byte);
    return byte == 1;
  } else {
    return cursor.number<T>(what);
  }
}

template <class Items>
GgufArray read_items(Cursor& cursor, uint64_t count, const std::string& what) {
  if constexpr (std::is_same_v<Items, std::monostate>) {
    throw cursor.refused("{} is a list of lists, which is not read", what);
  } else {
    using Item = typename Items::value_type;
    // A string has 8 bytes at least, so what is reserved is in proportion to the file.
    const uint64_t min = std::is_same_v<Item, std::string> ? 8 : sizeof(Item);
    if (count > cursor.left() / min) {
      throw cursor
          .refused("{} should have {} items, but only {} bytes are left", what, count,
                   cursor.left())
          .with_hint("an incomplete download?");
    }
    Items items;
    for (uint64_t i = 0; i < count; ++i) items.push_back(read_item<Item>(cursor, what));
    return items;
  }
}

template <size_t Index = 0>
GgufArray read_array(Cursor& cursor, uint32_t type, uint64_t count, const std::string& what) {
  if constexpr (Index == std::variant_size_v<GgufArray>) {
    throw cursor.refused("{} is a list of an unknown type, {}", what, type);
  } else {
    if (type != Index) return read_array<Index + 1>(cursor, type, count, what);
    return read_items<std::variant_alternative_t<Index, GgufArray>>(cursor, count, what);
  }
}

template <size_t Index = 0>
GgufValue read_value(Cursor& cursor, uint32_t type, const std::string& what) {
  if constexpr (Index == std::variant_size_v<GgufValue>) {
    throw cursor.refused("{} has an unknown type, {}", what, type);
  } else {
    if (type != Index) return read_value<Index + 1>(cursor, type, what);
    using Value = std::variant_alternative_t<Index, GgufValue>;
    if constexpr (std::is_same_v<Value, GgufArray>) {
      const auto item_type = cursor.number<uint32_t>("the item type of " + what);
      const auto count = cursor.number<uint64_t>("the length of " + what);
      return read_array(cursor, item_type, count, what);
    } else {
      return GgufValue(std::in_place_index<Index>, read_item<Value>(cursor, what));
    }
  }
}

void check_version(Cursor& cursor) {
  if (cursor.number<uint32_t>("the magic") != gguf_magic) {
    throw cursor.refused("it does not begin with \"GGUF\"").with_hint("is it a GGUF file?");
  }
  const auto version = cursor.number<uint32_t>("the version");
  if (version == 2 || version == 3) return;
  if ((version & 0xffff) == 0) throw cursor.refused("it is big-endian, which is not read");
  throw cursor.refused("its version is {}, but only 2 and 3 are read", version);
}

// A name stands twice, in a header of any length, is found at once.
struct Names {
  std::unordered_set<std::string> seen;
  void add(const Cursor& cursor, const char* kind, const std::string& name) {
    if (!seen.insert(name).second) {
      throw cursor.refused("{} {} stands twice", kind, printable(name));
    }
  }
};

void check_count(const Cursor& cursor, uint64_t count, uint64_t min, const char* what) {
  if (count > cursor.left() / min) {
    throw cursor
        .refused("it should have {} {}, but only {} bytes are left", count, what, cursor.left())
        .with_hint("an incomplete download?");
  }
}

GgufMetadata read_metadata(Cursor& cursor, uint64_t count, const std::string& name) {
  check_count(cursor, count, 13, "metadata entries");
  std::vector<std::pair<std::string, GgufValue>> items;
  Names names;
  for (uint64_t i = 0; i < count; ++i) {
    std::string key = cursor.text(fmt::format("the name of metadata entry {}", i));
    names.add(cursor, "metadata", key);
    const std::string what = "metadata " + printable(key);
    const auto type = cursor.number<uint32_t>("the type of " + what);
    GgufValue value = read_value(cursor, type, what);
    items.emplace_back(std::move(key), std::move(value));
  }
  return GgufMetadata(name, std::move(items));
}

struct Entry {
  TensorView tensor;
  uint64_t offset = 0, size = 0;  // from the beginning of the data
};

Dtype read_dtype(Cursor& cursor, const std::string& what) {
  const auto number = cursor.number<uint32_t>("the type of " + what);
  const auto dtype = dtype_of_ggml(number);
  if (dtype) return *dtype;
  const std::string known = ggml_name(number);
  if (known.empty()) throw cursor.refused("{} has an unknown type, {}", what, number);
  throw cursor.refused("{} has the type {}, which is not read", what, known)
      .with_hint("quantize the model again, for example as Q4_K");
}

Entry read_entry(Cursor& cursor, uint64_t index) {
  Entry entry;
  TensorView& tensor = entry.tensor;
  tensor.name = cursor.text(fmt::format("the name of tensor {}", index));
  const std::string what = "tensor " + printable(tensor.name);
  const auto dimensions = cursor.number<uint32_t>("the number of dimensions of " + what);
  if (dimensions > gguf_max_dimensions) {
    throw cursor.refused("{} should have at most {} dimensions, found {}", what,
                         gguf_max_dimensions, dimensions);
  }
  for (uint32_t i = 0; i < dimensions; ++i) {
    const auto size = cursor.number<uint64_t>("the shape of " + what);
    if (!std::in_range<int64_t>(size)) {
      throw cursor.refused("{}: a size of its shape is {}", what, size);
    }
    tensor.shape.insert(tensor.shape.begin(), static_cast<int64_t>(size));
  }
  tensor.dtype = read_dtype(cursor, what);
  entry.offset = cursor.number<uint64_t>("the offset of " + what);
  const auto bytes = byte_size(tensor.dtype, tensor.shape);
  if (!bytes) {
    throw cursor.refused("{}: its shape makes rows that are not whole blocks of {}, or too many",
                         what, name_of(tensor.dtype));
  }
  entry.size = *bytes;
  return entry;
}

uint64_t alignment_of(const Cursor& cursor, const GgufMetadata& metadata) {
  const auto* value = metadata.find("general.alignment");
  if (value == nullptr) return gguf_default_alignment;
  const auto* alignment = std::get_if<uint32_t>(value);
  if (alignment == nullptr || !std::has_single_bit(*alignment)) {
    throw cursor.refused("metadata general.alignment should be a power of two, found {}",
                         alignment == nullptr ? kind_of(*value) : std::to_string(*alignment));
  }
  return *alignment;
}

// Every tensor aligned, inside the data, and none over another.
void check_layout(const Cursor& cursor, const std::vector<Entry>& entries, uint64_t data,
                  uint64_t alignment) {
  std::vector<const Entry*> sorted;
  for (const Entry& entry : entries) sorted.push_back(&entry);
  std::ranges::sort(sorted, {}, [](const Entry* e) { return std::pair(e->offset, e->size); });
  uint64_t end = 0;
  std::string before;
  for (const Entry* entry : sorted) {
    const std::string what = "tensor " + printable(entry->tensor.name);
    if (entry->offset % alignment != 0) {
      throw cursor.refused("{}: its offset {} should be a multiple of {}", what, entry->offset,
                           alignment);
    }
    if (entry->offset > data || entry->size > data - entry->offset) {
      throw cursor
          .refused("{} has {} bytes from byte {} on, but the file holds only {} of data", what,
                   entry->size, entry->offset, data)
          .with_hint("an incomplete download?");
    }
    if (entry->offset < end) {
      throw cursor.refused("{} begins at byte {}, inside tensor {}, which ends at {}", what,
                           entry->offset, before, end);
    }
    end = entry->offset + entry->size;
    before = printable(entry->tensor.name);
  }
}

}  // namespace

GgufContents parse_gguf(std::span<const std::byte> file, const std::string& name) {
  Cursor cursor(file, name);
  check_version(cursor);
  const auto tensors = cursor.number<uint64_t>("the number of tensors");
  const auto items = cursor.number<uint64_t>("the number of metadata entries");
  GgufContents contents{.metadata = read_metadata(cursor, items, name), .tensors = {}};
  check_count(cursor, tensors, 24, "tensors");
  std::vector<Entry> entries;
  Names names;
  for (uint64_t i = 0; i < tensors; ++i) {
    entries.push_back(read_entry(cursor, i));
    names.add(cursor, "tensor", entries.back().tensor.name);
  }
  const uint64_t alignment = alignment_of(cursor, contents.metadata);
  const uint64_t padding = (alignment - cursor.position() % alignment) % alignment;
  // A file without tensors may end with its header.
  const auto data = file.subspan(std::min<uint64_t>(cursor.position() + padding, file.size()));
  check_layout(cursor, entries, data.size(), alignment);
  for (Entry& entry : entries) {
    entry.tensor.bytes = data.subspan(entry.offset, entry.size);
    contents.tensors.push_back(std::move(entry.tensor));
  }
  return contents;
}

GgufFile GgufFile::open(const fs::path& path) {
  std::vector<MappedFile> files;
  files.push_back(MappedFile::open(path));
  GgufContents contents = parse_gguf(files.back().bytes(), path.string());
  if (gguf_part_count(contents.metadata) > 1) {
    return open_parts(gguf_part_paths(path, contents.metadata));
  }
  return {std::move(files), std::move(contents)};
}

GgufFile GgufFile::open_parts(const std::vector<fs::path>& paths) {
  std::vector<MappedFile> files;
  GgufContents whole;
  std::unordered_map<std::string, size_t> parts;  // of each tensor
  for (size_t i = 0; i < paths.size(); ++i) {
    files.push_back(MappedFile::open(paths[i]));
    GgufContents part = parse_gguf(files.back().bytes(), paths[i].string());
    if (i == 0) whole.metadata = part.metadata;
    check_gguf_part(whole.metadata, part.metadata, static_cast<int64_t>(i));
    for (TensorView& tensor : part.tensors) {
      const auto [there, added] = parts.emplace(tensor.name, i);
      if (!added) {
        throw input_error("cannot read {}: tensor {} is in {} too", paths[i].string(),
                          printable(tensor.name), paths[there->second].filename().string());
      }
      whole.tensors.push_back(std::move(tensor));
    }
  }
  const auto expected = whole.metadata.integer("split.tensors.count");
  if (expected && *expected != std::ssize(whole.tensors)) {
    throw input_error(
        "cannot read {}: metadata split.tensors.count is {}, but its {} parts have {}",
        paths[0].string(), *expected, paths.size(), whole.tensors.size())
        .with_hint("files of different versions of the model?");
  }
  return {std::move(files), std::move(whole)};
}

bool is_gguf(const fs::path& path) {
  std::error_code error;
  if (!fs::is_regular_file(path, error)) return false;
  const MappedFile file = MappedFile::open(path);
  uint32_t magic = 0;
  if (file.bytes().size() < sizeof magic) return false;
  std::memcpy(&magic, file.bytes().data(), sizeof magic);
  return magic == gguf_magic;
}

}  // namespace alambic
