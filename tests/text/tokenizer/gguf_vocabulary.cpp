#include "tests/text/tokenizer/gguf_vocabulary.h"

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>

namespace alambic {
namespace {

struct Reader {
  std::string bytes;
  size_t position = 0;

  template <class T>
  T number() {
    T value;
    std::memcpy(&value, bytes.data() + position, sizeof value);
    position += sizeof value;
    return value;
  }
  std::string string() {
    const auto length = number<uint64_t>();
    std::string text = bytes.substr(position, length);
    position += length;
    return text;
  }
  void skip(uint32_t type) {
    constexpr size_t width[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
    if (type == 8) {
      string();
    } else if (type == 9) {
      const auto inner = number<uint32_t>();
      for (auto count = number<uint64_t>(); count > 0; --count) skip(inner);
    } else {
      position += width[type];
    }
  }
};

}  // namespace

std::string tokenizer_json_of_gguf(const fs::path& path) {
  Reader reader{.bytes = read_file(path), .position = 16};  // magic, version, tensor count
  std::vector<std::string> tokens;
  std::vector<float> scores;
  for (auto fields = reader.number<uint64_t>(); fields > 0; --fields) {
    const std::string key = reader.string();
    const auto type = reader.number<uint32_t>();
    if (key != "tokenizer.ggml.tokens" && key != "tokenizer.ggml.scores") {
      reader.skip(type);
      continue;
    }
    reader.number<uint32_t>();
    const auto count = reader.number<uint64_t>();
    for (uint64_t i = 0; i < count; ++i) {
      if (key == "tokenizer.ggml.tokens") {
        tokens.push_back(reader.string());
      } else {
        scores.push_back(reader.number<float>());
      }
    }
  }
  nlohmann::json vocab = nlohmann::json::object();
  for (size_t id = 0; id < tokens.size(); ++id) vocab[tokens[id]] = id;
  struct Merge {
    float score;
    size_t left, right;
    std::string first, second;
  };
  std::vector<Merge> merges;
  for (size_t id = 0; id < tokens.size(); ++id) {
    for (size_t cut = 1; cut < tokens[id].size(); ++cut) {
      const auto first = vocab.find(tokens[id].substr(0, cut));
      const auto second = vocab.find(tokens[id].substr(cut));
      if (first == vocab.end() || second == vocab.end()) continue;
      merges.push_back({scores[id], *first, *second, first.key(), second.key()});
    }
  }
  std::ranges::stable_sort(merges, [](const Merge& a, const Merge& b) {
    return std::tuple(-a.score, a.left, a.right) < std::tuple(-b.score, b.left, b.right);
  });
  nlohmann::json pairs = nlohmann::json::array();
  for (const Merge& merge : merges) pairs.push_back({merge.first, merge.second});
  nlohmann::json root = nlohmann::json::parse(R"({
    "normalizer": {"type": "Sequence", "normalizers": [
      {"type": "Prepend", "prepend": "▁"},
      {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]},
    "decoder": {"type": "Sequence", "decoders": [
      {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
      {"type": "ByteFallback"}, {"type": "Fuse"},
      {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
    "model": {"type": "BPE", "unk_token": "<unk>", "fuse_unk": true, "byte_fallback": true}})");
  root["model"]["vocab"] = vocab;
  root["model"]["merges"] = pairs;
  return root.dump();
}

}  // namespace alambic
