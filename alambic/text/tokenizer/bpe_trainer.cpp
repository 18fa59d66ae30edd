#include "alambic/text/tokenizer/bpe_trainer.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <optional>
#include <set>

#include "alambic/base/error.h"
#include "alambic/base/json_view.h"
#include "alambic/base/utf8.h"
#include "alambic/text/tokenizer/byte_level.h"
#include "alambic/text/tokenizer/byte_level_bpe.h"

namespace alambic {
namespace {

using Json = nlohmann::ordered_json;
using Ids = std::vector<int32_t>;
using Pair = std::pair<int32_t, int32_t>;

struct PairHash {
  size_t operator()(const Pair& pair) const {
    const uint64_t both =
        (static_cast<uint64_t>(pair.first) << 32) | static_cast<uint32_t>(pair.second);
    return std::hash<uint64_t>()(both * 0x9E3779B97F4A7C15ull);
  }
};
template <class Value>
using PairMap = std::unordered_map<Pair, Value, PairHash>;

// A pair that may be merged next, with how often it was seen when it was put in line, and in which
// words.
struct Candidate {
  Pair pair;
  int64_t count = 0;
  std::vector<int32_t> words;

  bool operator<(const Candidate& other) const {
    return count != other.count ? count < other.count : other.pair < pair;
  }
};

class Merger {
 public:
  Merger(const WordCounts& words, const std::array<int32_t, 256>& id_of_byte) {
    std::vector<const WordCounts::value_type*> sorted;
    for (const auto& word : words) sorted.push_back(&word);
    std::ranges::sort(sorted, {}, [](const auto* word) { return word->first; });
    PairMap<std::vector<int32_t>> places;
    for (const auto* word : sorted) {
      Ids& ids = words_.emplace_back();
      for (const char c : word->first) ids.push_back(id_of_byte[static_cast<unsigned char>(c)]);
      counts_.push_back(word->second);
      for (size_t i = 0; i + 1 < ids.size(); ++i) {
        count_of_[{ids[i], ids[i + 1]}] += word->second;
        add_place(places[{ids[i], ids[i + 1]}], static_cast<int32_t>(words_.size()) - 1);
      }
    }
    put_in_line(std::move(places));
  }

  /// The pair to merge now; nothing when none occurs `least` times.
  std::optional<Candidate> next(int64_t min) {
    while (!line_.empty()) {
      std::pop_heap(line_.begin(), line_.end());
      Candidate top = std::move(line_.back());
      line_.pop_back();
      const int64_t now = count_of_[top.pair];
      if (top.count != now) {
        top.count = now;
        put_in_line(std::move(top));
        continue;
      }
      if (now < std::max<int64_t>(min, 1)) return std::nullopt;
      return top;
    }
    return std::nullopt;
  }

  void merge(const Candidate& candidate, int32_t id) {
    PairMap<std::vector<int32_t>> places;
    for (const int32_t word : candidate.words) merge_in(word, candidate.pair, id, places);
    put_in_line(std::move(places));
  }

 private:
  static void add_place(std::vector<int32_t>& words, int32_t word) {
    if (words.empty() || words.back() != word) words.push_back(word);
  }

  void put_in_line(Candidate candidate) {
    line_.push_back(std::move(candidate));
    std::push_heap(line_.begin(), line_.end());
  }

  void put_in_line(PairMap<std::vector<int32_t>>&& places) {
    for (auto& [pair, words] : places) {
      if (const int64_t count = count_of_[pair]; count > 0) {
        put_in_line({pair, count, std::move(words)});
      }
    }
  }

  void merge_in(int32_t word, const Pair& pair, int32_t id, PairMap<std::vector<int32_t>>& places) {
    Ids& ids = words_[static_cast<size_t>(word)];
    const int64_t count = counts_[static_cast<size_t>(word)];
    const auto gain = [&](const Pair& made) {
      count_of_[made] += count;
      add_place(places[made], word);
    };
    size_t kept = 0;
    for (size_t i = 0; i < ids.size(); ++i) {
      if (ids[i] != pair.first || i + 1 == ids.size() || ids[i + 1] != pair.second) {
        ids[kept++] = ids[i];
        continue;
      }
      if (kept > 0) {
        count_of_[{ids[kept - 1], pair.first}] -= count;
        gain({ids[kept - 1], id});
      }
      if (i + 2 < ids.size()) {
        count_of_[{pair.second, ids[i + 2]}] -= count;
        gain({id, ids[i + 2]});
      }
      ids[kept++] = id;
      ++i;
    }
    ids.resize(kept);
  }

  std::vector<Ids> words_;
  std::vector<int64_t> counts_;
  PairMap<int64_t> count_of_;
  std::vector<Candidate> line_;  // a heap
};

// All bytes, in the order of the characters that stand for them.
std::array<unsigned char, 256> bytes_in_order() {
  std::array<unsigned char, 256> bytes;
  std::iota(bytes.begin(), bytes.end(), 0);
  std::ranges::sort(bytes, {}, [](unsigned char byte) { return byte_to_character(byte); });
  return bytes;
}

Json pre_tokenizer_of(BpePattern pattern) {
  switch (pattern) {
    case BpePattern::gpt2:
      return byte_level(true);
    case BpePattern::llama3:
      return split_then_bytes(llama3_pattern);
    case BpePattern::qwen:
      return split_then_bytes(qwen_pattern);
  }
  throw bug("a pattern of no kind");
}

Json added_tokens(const std::vector<std::string>& special) {
  Json tokens = Json::array();
  for (const std::string& content : special) {
    tokens.push_back({{"id", tokens.size()},
                      {"content", content},
                      {"single_word", false},
                      {"lstrip", false},
                      {"rstrip", false},
                      {"normalized", false},
                      {"special", true}});
  }
  return tokens;
}

}  // namespace

BpeTrainer::BpeTrainer(BpeTraining options) : options_(std::move(options)) {
  const std::string json = pre_tokenizer_of(options_.pattern).dump();
  const JsonFile file = JsonFile::parse("pre_tokenizer", json);
  pre_tokenizer_ = read_pre_tokenizer(file.root());
  std::set<std::string> seen;
  for (const std::string& token : options_.special) {
    if (token.empty() || !seen.insert(token).second) {
      throw input_error("the special token \"{}\" is {}", token,
                        token.empty() ? "empty" : "there twice");
    }
  }
  const auto min = static_cast<int64_t>(256 + options_.special.size());
  if (options_.vocabulary < min) {
    throw input_error("a vocabulary of {} has no room for {} special tokens and 256 bytes",
                      options_.vocabulary, options_.special.size())
        .with_hint(fmt::format("at least {} tokens", min));
  }
}

void BpeTrainer::add(std::string_view text) {
  Pieces pieces{.text = replace_invalid_utf8(text), .ranges = {}, .at_start = true};
  if (pieces.text.empty()) return;
  pieces.ranges = {{0, pieces.text.size()}};
  pre_tokenizer_->apply(pieces);
  for (const Range& range : pieces.ranges) {
    const std::string_view piece = pieces.piece(range);
    std::string word;
    for (size_t i = 0; i < piece.size();) {
      word += static_cast<char>(character_to_byte(next_code_point(piece, i)));
    }
    ++counts_[word];
  }
}

std::string BpeTrainer::train(const std::function<void(int64_t)>& on_merge) const {
  // Tokens as bytes; special ones, which no merge can make, as nothing.
  std::vector<std::string> tokens(options_.special.size());
  std::array<int32_t, 256> id_of_byte;
  for (const unsigned char byte : bytes_in_order()) {
    id_of_byte[byte] = static_cast<int32_t>(tokens.size());
    tokens.emplace_back(1, static_cast<char>(byte));
  }
  std::unordered_map<std::string, int32_t> id_of;
  for (size_t id = options_.special.size(); id < tokens.size(); ++id) {
    id_of[tokens[id]] = static_cast<int32_t>(id);
  }
  std::vector<Pair> merges;
  PairMap<size_t> place_of;
  Merger merger(counts_, id_of_byte);
  while (static_cast<int64_t>(tokens.size()) < options_.vocabulary) {
    const auto best = merger.next(options_.min_count);
    if (!best) break;
    const std::string token = tokens[best->pair.first] + tokens[best->pair.second];
    const auto [known, fresh] = id_of.emplace(token, static_cast<int32_t>(tokens.size()));
    if (fresh) tokens.push_back(token);
    // A token that is made in several ways has several merges, each once.
    if (place_of.emplace(best->pair, merges.size()).second) merges.push_back(best->pair);
    merger.merge(*best, known->second);
    if (on_merge && merges.size() % 256 == 0) on_merge(static_cast<int64_t>(merges.size()));
  }
  Json vocabulary = Json::object(), pairs = Json::array();
  // ordered_json looks for an equal key at every insertion: the list is filled directly.
  auto& entries = vocabulary.get_ref<Json::object_t&>();
  for (size_t id = 0; id < tokens.size(); ++id) {
    const bool special = id < options_.special.size();
    entries.Container::emplace_back(special ? options_.special[id] : as_characters(tokens[id]), id);
  }
  for (const auto& [left, right] : merges) {
    pairs.push_back({as_characters(tokens[left]), as_characters(tokens[right])});
  }
  Json json =
      byte_level_bpe(std::move(vocabulary), std::move(pairs), pre_tokenizer_of(options_.pattern));
  json["added_tokens"] = added_tokens(options_.special);
  return json.dump(1) + "\n";
}

}  // namespace alambic
