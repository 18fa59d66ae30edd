#include "alambic/text/tokenizer/vocabulary_files.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
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
#include "alambic/text/tokenizer/tokenizer_class.h"
#include "alambic/text/tokenizer/vocabulary.h"

namespace alambic {
namespace {

using Json = nlohmann::ordered_json;

constexpr uint64_t largest_vocabulary = uint64_t{256} << 20;

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

// A folder's tokenizer_config.json and config.json.
struct Configs {
  explicit Configs(const fs::path& folder)
      : tokenizer(parsed(folder / "tokenizer_config.json")),
        model(parsed(folder / "config.json")) {}

  static std::optional<JsonFile> parsed(const fs::path& path) {
    if (!path_exists(path)) return std::nullopt;
    JsonFile file = JsonFile::parse(path.string(), read_file(path, largest_vocabulary));
    file.root().object();  // for its error
    return file;
  }
  static std::optional<JsonView> root(const std::optional<JsonFile>& file) {
    return file ? std::optional(file->root()) : std::nullopt;
  }

  // The class that the files name, without "Fast"; else that of the type of model; "" for neither.
  std::string tokenizer_class() const {
    const TokenizerClass found = tokenizer_class_of(root(tokenizer), root(model), false);
    if (found.name != TokenizerClass().name) return found.name;
    for (const auto& file : {root(tokenizer), root(model)}) {
      std::string name = file ? file->string_or("tokenizer_class", "") : "";
      if (name.ends_with("Fast")) name.resize(name.size() - 4);
      if (!name.empty()) return name;
    }
    return "";
  }

  bool prefix_space() const {
    return tokenizer && tokenizer->root().boolean_or("add_prefix_space", false);
  }

  std::optional<JsonFile> tokenizer, model;
};

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
                                     const std::string& tokenizer_class, bool prefix_space) {
  const std::string bytes = read_file(vocabulary, largest_vocabulary);
  const JsonFile file = JsonFile::parse(vocabulary.string(), bytes);
  Vocabulary::read(file.root());  // for its errors
  Json pairs = Json::array();
  const std::string lines = read_file(merges, largest_vocabulary);
  for_each_line(lines, [&](size_t number, std::string_view line) {
    if (line.starts_with("#version")) return;
    const size_t space = line.find(' ');
    if (space == line.npos || line.find(' ', space + 1) != line.npos || !is_valid_utf8(line)) {
      throw input_error("{}: line {}: expected two tokens and a space between them",
                        merges.string(), number);
    }
    pairs.push_back({line.substr(0, space), line.substr(space + 1)});
  });
  Json json = byte_level_bpe(nullptr, std::move(pairs), byte_level(true, prefix_space));
  const std::string& name = tokenizer_class;
  if (name == "Qwen2Tokenizer" || name == "Qwen3_5Tokenizer") {
    json["pre_tokenizer"] =
        split_then_bytes(name == "Qwen2Tokenizer" ? qwen_pattern : qwen3_5_pattern, prefix_space);
  } else if (!name.empty() && name != "GPT2Tokenizer" && name != "GPTNeoXTokenizer") {
    throw input_error(
        "{}: the tokenizer class \"{}\" is not built from vocab.json; known: "
        "GPT2Tokenizer, GPTNeoXTokenizer, Qwen2Tokenizer, Qwen3_5Tokenizer",
        vocabulary.string(), name)
        .with_hint("save it once with transformers' AutoTokenizer, which writes tokenizer.json");
  }
  if (!name.empty() && name != "GPT2Tokenizer") json["normalizer"] = {{"type", "NFC"}};
  // The file's own text: parsing it once more would look for an equal key at every entry.
  std::string text = json.dump();
  const std::string slot = R"("vocab":null)";
  std::string_view entries = bytes;
  if (entries.starts_with("\xEF\xBB\xBF")) entries.remove_prefix(3);
  return text.replace(text.find(slot), slot.size(), fmt::format(R"("vocab":{})", entries));
}

std::string convert_vocabulary_files(const fs::path& folder) {
  const Configs configs(folder);
  if (path_exists(folder / "vocab.json") && path_exists(folder / "merges.txt")) {
    return tokenizer_json_of_merges(folder / "vocab.json", folder / "merges.txt",
                                    configs.tokenizer_class(), configs.prefix_space());
  }
  const std::string name =
      configs.tokenizer ? configs.tokenizer->root().string_or("tokenizer_class", "") : "";
  if (const fs::path model = folder / "tokenizer.model"; path_exists(model)) {
    const std::string bytes = read_file(model, largest_vocabulary);
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
  return tokenizer_json_of_tiktoken(ranks[0].string(), read_file(ranks[0], largest_vocabulary),
                                    name.starts_with("QWen") ? qwen_pattern : llama3_pattern);
}

}  // namespace alambic
