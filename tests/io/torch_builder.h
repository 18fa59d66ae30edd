// Files of torch.save, byte by byte, so that each test can get one thing wrong.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

namespace alambic::torch_builder {

template <class Number>
std::string bytes(Number number) {
  std::string text(sizeof number, '\0');
  std::memcpy(text.data(), &number, sizeof number);
  return text;
}

struct Entry {
  std::string name, content;
  uint16_t method = 0, flags = 0;
  std::string name_in_entry = name;
};

/// An archive of stored entries.
inline std::string zip(const std::vector<Entry>& entries) {
  std::string file, directory;
  for (const Entry& one : entries) {
    const auto length = static_cast<uint32_t>(one.content.size());
    const std::string common = bytes(one.flags) + bytes(one.method) + bytes<uint32_t>(0) +
                               bytes<uint32_t>(0) + bytes(length) + bytes(length);
    directory += "PK\1\2" + bytes<uint16_t>(20) + bytes<uint16_t>(20) + common +
                 bytes(static_cast<uint16_t>(one.name.size())) + std::string(12, '\0') +
                 bytes(static_cast<uint32_t>(file.size())) + one.name;
    file += "PK\3\4" + bytes<uint16_t>(20) + common +
            bytes(static_cast<uint16_t>(one.name_in_entry.size())) + bytes<uint16_t>(0) +
            one.name_in_entry + one.content;
  }
  const auto count = static_cast<uint16_t>(entries.size());
  return file + directory + "PK\5\6" + bytes<uint32_t>(0) + bytes(count) + bytes(count) +
         bytes(static_cast<uint32_t>(directory.size())) +
         bytes(static_cast<uint32_t>(file.size())) + bytes<uint16_t>(0);
}

inline std::string text(const std::string& value) {
  return "X" + bytes(static_cast<uint32_t>(value.size())) + value;
}
inline std::string integer(int64_t value) { return "\x8a\x08" + bytes(value); }
inline std::string global(const std::string& module, const std::string& name) {
  return "c" + module + "\n" + name + "\n";
}
inline std::string tuple(const std::vector<std::string>& values) {
  std::string all = "(";
  for (const std::string& value : values) all += value;
  return all + "t";
}
inline std::string integers(const std::vector<int64_t>& values) {
  std::vector<std::string> each;
  for (const int64_t value : values) each.push_back(integer(value));
  return tuple(each);
}
inline std::string call(const std::string& function, const std::vector<std::string>& arguments) {
  return function + tuple(arguments) + "R";
}
inline std::string dict(const std::vector<std::pair<std::string, std::string>>& values) {
  std::string all = "}(";
  for (const auto& [name, value] : values) all += text(name) + value;
  return all + "u";
}
inline std::string pickle(const std::string& value) { return "\x80\x02" + value + "."; }

/// A tensor of data/0, which says that it is `numbers` numbers long.
struct Tensor {
  std::string type = "FloatStorage";
  std::string key = "0";
  int64_t numbers = 4;
  int64_t offset = 0;
  std::vector<int64_t> sizes = {2, 2}, strides = {2, 1};
  std::string more = {};  // after the hooks
};

inline std::string storage(const Tensor& tensor) {
  return tuple({text("storage"), global("torch", tensor.type), text(tensor.key), text("cpu"),
                integer(tensor.numbers)}) +
         "Q";
}

inline std::string tensor(const Tensor& tensor) {
  return call(global("torch._utils", "_rebuild_tensor_v2"),
              {storage(tensor), integer(tensor.offset), integers(tensor.sizes),
               integers(tensor.strides), "\x89", "}", tensor.more});
}

/// A file with this pickle and 16 bytes of data/0.
inline std::string file(const std::string& pickled, const std::vector<Entry>& more = {}) {
  std::vector<Entry> entries = {{"x/data.pkl", pickled}, {"x/data/0", "0123456789abcdef"}};
  entries.insert(entries.end(), more.begin(), more.end());
  return zip(entries);
}

/// A file with one tensor called weight.
inline std::string file_with(const Tensor& one) {
  return file(pickle(dict({{"weight", tensor(one)}})));
}

}  // namespace alambic::torch_builder
