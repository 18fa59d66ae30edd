// GGUF files by their bytes, for tests of what no writer of ours makes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace alambic::gguf_bytes {

template <class Number>
std::string raw(Number number) {
  return {reinterpret_cast<const char*>(&number), sizeof number};
}

inline std::string text(const std::string& value) { return raw<uint64_t>(value.size()) + value; }

inline std::string item(const std::string& key, uint32_t type, const std::string& value) {
  return text(key) + raw(type) + value;
}

inline std::string tensor(const std::string& name, const std::vector<uint64_t>& sizes,
                          uint32_t type, uint64_t offset) {
  std::string entry = text(name) + raw(static_cast<uint32_t>(sizes.size()));
  for (const uint64_t size : sizes) entry += raw(size);
  return entry + raw(type) + raw(offset);
}

inline std::string file_with(uint64_t tensors, uint64_t items, const std::string& body,
                             size_t data = 64, uint32_t version = 3) {
  std::string file = "GGUF" + raw(version) + raw(tensors) + raw(items) + body;
  file.resize((file.size() + 31) / 32 * 32 + data, '\0');
  return file;
}

}  // namespace alambic::gguf_bytes
