#include "alambic/io/safetensors.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "alambic/base/atomic_file.h"
#include "alambic/base/error.h"

namespace alambic {

namespace {

using Json = nlohmann::ordered_json;

constexpr uint64_t max_header = 100'000'000;

// The header's JSON with what nlohmann lets pass refused: names given twice, deep nesting.
Json parse_header(std::string_view text, const std::string& name) {
  std::vector<std::set<std::string>> keys;
  bool deep = false;
  std::string twice;
  const auto inspect = [&](int depth, Json::parse_event_t event, Json& parsed) {
    if (depth > 4) deep = true;
    if (event == Json::parse_event_t::object_start) keys.emplace_back();
    if (event == Json::parse_event_t::object_end) keys.pop_back();
    if (event == Json::parse_event_t::key &&
        !keys.back().insert(parsed.get_ref<const std::string&>()).second) {
      twice = parsed.get_ref<const std::string&>();
    }
    return !deep;
  };
  Json header = Json::parse(text, inspect, /*allow_exceptions=*/false);
  if (deep) throw input_error("cannot read {}: the header nests too deeply", name);
  if (!twice.empty())
    throw input_error("cannot read {}: \"{}\" stands twice in the header", name, twice);
  if (header.is_discarded() || !header.is_object()) {
    throw input_error("cannot read {}: the header is not a JSON object", name)
        .with_hint("is it a safetensors file? an incomplete download?");
  }
  return header;
}

struct Entry {
  TensorView view;
  uint64_t begin = 0, end = 0;
};

// The product of the sizes, refusing what does not fit.
uint64_t byte_size(const TensorView& view, const std::string& name) {
  uint64_t bytes = bytes_of(view.dtype);
  for (const int64_t size : view.shape) {
    if (__builtin_mul_overflow(bytes, static_cast<uint64_t>(size), &bytes)) {
      throw input_error("cannot read {}: tensor {}: its shape overflows", name, view.name);
    }
  }
  return bytes;
}

Entry read_entry(const std::string& tensor, const Json& json, const std::string& name) {
  const auto wrong = [&](const char* field, const char* expected) {
    return input_error("cannot read {}: tensor {}: \"{}\" should be {}, found {}", name, tensor,
                       field, expected,
                       json.is_object() && json.contains(field) ? json[field].dump() : "nothing");
  };
  if (!json.is_object() || !json.contains("dtype") || !json["dtype"].is_string()) {
    throw wrong("dtype", "a name");
  }
  Entry entry{.view = {.name = tensor}};
  const std::optional<Dtype> dtype = dtype_named(json["dtype"].get_ref<const std::string&>());
  if (!dtype) throw wrong("dtype", "a known number format");
  entry.view.dtype = *dtype;
  if (!json.contains("shape") || !json["shape"].is_array()) throw wrong("shape", "a list of sizes");
  for (const Json& size : json["shape"]) {
    if (!size.is_number_unsigned() ||
        size.get<uint64_t>() > uint64_t{std::numeric_limits<int64_t>::max()}) {
      throw wrong("shape", "a list of sizes");
    }
    entry.view.shape.push_back(size);
  }
  const Json offsets = json.value("data_offsets", Json());
  if (!offsets.is_array() || offsets.size() != 2 || !offsets[0].is_number_unsigned() ||
      !offsets[1].is_number_unsigned()) {
    throw wrong("data_offsets", "two offsets");
  }
  entry.begin = offsets[0];
  entry.end = offsets[1];
  if (json.size() != 3) {
    throw input_error("cannot read {}: tensor {}: unknown fields in {}", name, tensor, json.dump());
  }
  return entry;
}

void check_layout(const std::vector<Entry>& entries, uint64_t data, const std::string& name) {
  uint64_t position = 0;
  for (const Entry& entry : entries) {
    const std::string& tensor = entry.view.name;
    if (entry.begin > entry.end || entry.end > data) {
      throw input_error("cannot read {}: tensor {} lies at bytes {} to {}, but the file holds {}",
                        name, tensor, entry.begin, entry.end, data)
          .with_hint("an incomplete download?");
    }
    if (entry.begin != position) {
      throw input_error(
          "cannot read {}: tensor {} begins at byte {}, {} {}", name, tensor, entry.begin,
          entry.begin < position ? "inside another, before" : "after a hole from", position);
    }
    const uint64_t expected = byte_size(entry.view, name);
    if (entry.end - entry.begin != expected) {
      throw input_error("cannot read {}: tensor {} has {} bytes, its shape and dtype make {}", name,
                        tensor, entry.end - entry.begin, expected);
    }
    position = entry.end;
  }
  if (position != data) {
    throw input_error("cannot read {}: {} bytes follow the last tensor", name, data - position);
  }
}

}  // namespace

SafetensorsHeader parse_safetensors(std::span<const std::byte> file, const std::string& name) {
  uint64_t length = 0;
  if (file.size() < sizeof length) {
    throw input_error("cannot read {}: {} bytes are too few for a safetensors file", name,
                      file.size());
  }
  std::memcpy(&length, file.data(), sizeof length);
  const uint64_t rest = file.size() - sizeof length;
  if (length > rest || length > max_header) {
    throw input_error("cannot read {}: the header is {} bytes long, but the file holds {}", name,
                      length, rest)
        .with_hint("is it a safetensors file? an incomplete download?");
  }
  const auto* text = reinterpret_cast<const char*>(file.data()) + sizeof length;
  const Json json = parse_header({text, length}, name);
  SafetensorsHeader header;
  std::vector<Entry> entries;
  for (const auto& [tensor, value] : json.items()) {
    if (tensor != "__metadata__") {
      entries.push_back(read_entry(tensor, value, name));
      continue;
    }
    for (const auto& [key, entry] : value.items()) {
      if (!entry.is_string()) {
        throw input_error("cannot read {}: __metadata__ should map strings to strings", name);
      }
      header.metadata[key] = entry;
    }
  }
  std::ranges::sort(entries, {}, [](const Entry& e) { return std::pair(e.begin, e.end); });
  check_layout(entries, rest - length, name);
  const std::span<const std::byte> data = file.subspan(sizeof length + length);
  for (Entry& entry : entries) {
    entry.view.bytes = data.subspan(entry.begin, entry.end - entry.begin);
    header.tensors.push_back(std::move(entry.view));
  }
  return header;
}

SafetensorsFile SafetensorsFile::open(const fs::path& path) {
  MappedFile file = MappedFile::open(path);
  SafetensorsHeader header = parse_safetensors(file.bytes(), path.string());
  return {std::move(file), std::move(header)};
}

const TensorView* SafetensorsFile::find(const std::string& name) const {
  const auto found = std::ranges::find(header_.tensors, name, &TensorView::name);
  return found == header_.tensors.end() ? nullptr : &*found;
}

void write_safetensors(const fs::path& path, std::vector<TensorView> tensors,
                       const std::map<std::string, std::string>& metadata) {
  std::ranges::sort(tensors, [](const TensorView& a, const TensorView& b) {
    return std::pair(static_cast<int>(b.dtype), a.name) <
           std::pair(static_cast<int>(a.dtype), b.name);
  });
  Json json = Json::object();
  if (!metadata.empty()) json["__metadata__"] = metadata;
  uint64_t position = 0;
  for (const TensorView& tensor : tensors) {
    json[tensor.name] = {{"dtype", name_of(tensor.dtype)},
                         {"shape", tensor.shape},
                         {"data_offsets", {position, position + tensor.bytes.size()}}};
    position += tensor.bytes.size();
  }
  std::string header = json.dump();
  header.resize((header.size() + 7) / 8 * 8, ' ');
  const uint64_t length = header.size();
  AtomicFile file(path);
  file.write({reinterpret_cast<const char*>(&length), sizeof length});
  file.write(header);
  for (const TensorView& tensor : tensors) {
    file.write({reinterpret_cast<const char*>(tensor.bytes.data()), tensor.bytes.size()});
  }
  file.commit();
}

}  // namespace alambic
