#include "alambic/text/tokenizer/vocabulary_files.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "alambic/base/base64.h"
#include "alambic/base/error.h"
#include "alambic/base/file_system.h"
#include "alambic/base/json_view.h"
#include "alambic/base/utf8.h"
#include "alambic/text/tokenizer/byte_level.h"
#include "alambic/text/tokenizer/byte_level_bpe.h"
#include "alambic/text/tokenizer/merges_of_tokens.h"
#include "alambic/text/tokenizer/sentencepiece.h"
#include "alambic/text/tokenizer/vocabulary.h"

namespace alambic {
namespace {

using Json = nlohmann::ordered_json;

constexpr uint64_t largest_file = uint64_t{256} << 20;

// The lines of a file without their ends; empty ones are left out.
template <class Visit>
void for_each_line(std::string_view text, const Visit& visit) {
  size_t number = 0;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    ++number;
    if (!line.empty()) visit(number, line);
  }
}

using Ranks = std::map<int64_t, std::string>;

Ranks read_ranks(const std::string& name, std::string_view text) {
  Ranks ranks;
  for_each_line(text, [&](size_t number, std::string_view line) {
    const size_t space = line.find(' ');
    int64_t rank = -1;
    if (space != line.npos) {
      const char* const end = line.data() + line.size();
      const auto [stop, error] = std::from_chars(line.data() + space + 1, end, rank);
      if (error != std::errc() || stop != end) rank = -1;
    }
    if (rank < 0) {
      throw input_error("{}: line {}: expected a token in base64 and its rank", name, number);
    }
    std::string token;
    try {
      token = decode_base64(line.substr(0, space));
    } catch (const Error& error) {
      throw input_error("{}: line {}: {}", name, number, error.what());
    }
    if (token.empty()) throw input_error("{}: line {}: the token is empty", name, number);
    if (token.size() > 4096) {
      throw input_error("{}: line {}: a token of {} bytes; the limit is 4096", name, number,
                        token.size());
    }
    if (!ranks.emplace(rank, std::move(token)).second) {
      throw input_error("{}: line {}: the rank {} is there twice", name, number, rank);
    }
  });
  return ranks;
}

std::string tokenizer_class_of(const fs::path& folder) {
  const fs::path path = folder / "tokenizer_config.json";
  if (!path_exists(path)) return "";
  const std::string bytes = read_file(path, largest_file);
  return JsonFile::parse(path.string(), bytes).root().string_or("tokenizer_class", "");
}

}  // namespace

std::string tokenizer_json_of_tiktoken(const std::string& name, std::string_view lines,
                                       std::string_view pattern) {
  const Ranks ranks = read_ranks(name, lines);
  std::unordered_map<std::string_view, int64_t> rank_of;
  Json vocabulary = Json::object(), merges = Json::array();
  for (const auto& [rank, token] : ranks) {
    if (!rank_of.emplace(token, rank).second) {
      throw input_error("{}: the token of rank {} is there twice", name, rank);
    }
  }
  // ordered_json looks for an equal key at every insertion: the list is filled directly.
  auto& entries = vocabulary.get_ref<Json::object_t&>();
  entries.reserve(ranks.size());
  for (const auto& [rank, token] : ranks) {
    entries.Container::emplace_back(as_characters(token), rank);
    for (const auto& [left, right] : splits_into_tokens(rank_of, token)) {
      merges.push_back({as_characters(left), as_characters(right)});
    }
  }
  Json json = byte_level_bpe(std::move(vocabulary), std::move(merges), split_then_bytes(pattern));
  json["model"]["ignore_merges"] = true;
  return json.dump();
}

std::string tokenizer_json_of_merges(const fs::path& vocabulary, const fs::path& merges,
                                     const std::string& tokenizer_class) {
  const std::string bytes = read_file(vocabulary, largest_file);
  const JsonFile file = JsonFile::parse(vocabulary.string(), bytes);
  Vocabulary::read(file.root());  // for its errors
  Json pairs = Json::array();
  const std::string lines = read_file(merges, largest_file);
  for_each_line(lines, [&](size_t number, std::string_view line) {
    if (number == 1 && line.starts_with("#version")) return;
    const size_t space = line.find(' ');
    if (space == line.npos || line.find(' ', space + 1) != line.npos || !is_valid_utf8(line)) {
      throw input_error("{}: line {}: expected two tokens and a space between them",
                        merges.string(), number);
    }
    pairs.push_back({line.substr(0, space), line.substr(space + 1)});
  });
  std::string name = tokenizer_class;
  if (name.ends_with("Fast")) name.resize(name.size() - 4);
  Json json = byte_level_bpe(nullptr, std::move(pairs), byte_level(true));
  if (name == "Qwen2Tokenizer") {
    json["pre_tokenizer"] = split_then_bytes(qwen_pattern);
    json["normalizer"] = {{"type", "NFC"}};
  } else if (!name.empty() && name != "GPT2Tokenizer") {
    throw input_error(
        "{}: the tokenizer class \"{}\" is not built from vocab.json; known: "
        "GPT2Tokenizer, Qwen2Tokenizer",
        vocabulary.string(), name)
        .with_hint("save it once with transformers' AutoTokenizer, which writes tokenizer.json");
  }
  // The file's own text: parsing it once more would look for an equal key at every entry.
  std::string text = json.dump();
  const std::string slot = R"("vocab":null)";
  std::string_view entries = bytes;
  if (entries.starts_with("\xEF\xBB\xBF")) entries.remove_prefix(3);
  return text.replace(text.find(slot), slot.size(), fmt::format(R"("vocab":{})", entries));
}

std::string convert_vocabulary_files(const fs::path& folder) {
  const std::string name = tokenizer_class_of(folder);
  if (path_exists(folder / "vocab.json") && path_exists(folder / "merges.txt")) {
    return tokenizer_json_of_merges(folder / "vocab.json", folder / "merges.txt", name);
  }
  if (const fs::path model = folder / "tokenizer.model"; path_exists(model)) {
    const std::string bytes = read_file(model, largest_file);
    // Llama 3's first release has tiktoken's ranks under this name.
    if (!bytes.starts_with('\n')) {
      return tokenizer_json_of_tiktoken(model.string(), bytes, llama3_pattern);
    }
    return tokenizer_json_of_sentencepiece(model.string(), bytes, name);
  }
  std::vector<fs::path> ranks;
  for (const fs::path& entry : list_folder(folder)) {
    if (entry.extension() == ".tiktoken") ranks.push_back(entry);
  }
  if (ranks.empty()) return "";
  if (ranks.size() > 1) {
    throw input_error("{}: there are {} .tiktoken files; expected one", folder.string(),
                      ranks.size());
  }
  return tokenizer_json_of_tiktoken(ranks[0].string(), read_file(ranks[0], largest_file),
                                    name.starts_with("QWen") ? qwen_pattern : llama3_pattern);
}

}  // namespace alambic
