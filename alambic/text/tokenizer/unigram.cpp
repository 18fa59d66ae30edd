#include "alambic/text/tokenizer/unigram.h"

#include <algorithm>
#include <cmath>

#include "alambic/base/json_view.h"
#include "alambic/base/utf8.h"
#include "alambic/text/tokenizer/added_tokens.h"
#include "alambic/text/tokenizer/word_cache.h"

namespace alambic {
namespace {

constexpr double unknown_penalty = 10;  // an unknown character scores this less than any token

class Unigram : public TokenModel {
 public:
  explicit Unigram(const JsonView& json) {
    const JsonView vocab = json.at("vocab");
    std::vector<std::string_view> tokens;
    read_scores(vocab, tokens);
    vocabulary_ = Vocabulary::of_list(vocab, tokens);
    for (size_t id = 0; id < tokens.size(); ++id) {
      if (!tokens[id].empty()) trie_.insert(tokens[id], static_cast<int32_t>(id));
    }
    if (const auto unknown = json.find("unk_id")) {
      unknown_ =
          static_cast<int32_t>(unknown->integer(0, std::max<int64_t>(0, vocabulary_.limit() - 1)));
    }
    id_of_byte_ = vocabulary_.byte_tokens();
    byte_fallback_ = json.boolean_or("byte_fallback", false);
  }

  void tokenize(const Pieces& pieces, std::vector<int32_t>& ids) const override {
    auto cache = caches_.take();
    for (const Range& range : pieces.ranges) {
      const std::string_view piece = pieces.piece(range);
      size_t slot = 0;
      if (piece.size() > WordCache::longest_word) {
        tokenize_piece(piece, ids);
      } else if (const auto* known = cache->find(piece, slot)) {
        ids.insert(ids.end(), known->begin(), known->end());
      } else {
        const size_t start = ids.size();
        tokenize_piece(piece, ids);
        cache->store(piece, slot, std::span(ids).subspan(start));
      }
    }
    caches_.give_back(std::move(cache));
  }
  const Vocabulary& vocabulary() const override { return vocabulary_; }

 private:
  // The best way to reach a place in the text: its last token and where that begins.
  struct Node {
    double score = 0;
    int32_t id = -1;
    size_t begin = std::string_view::npos;

    void offer(double candidate, int32_t token, size_t from) {
      if (begin == std::string_view::npos || candidate > score) *this = {candidate, token, from};
    }
  };

  void read_scores(const JsonView& vocab, std::vector<std::string_view>& tokens) {
    const simdjson::dom::array entries = vocab.array();
    for (const simdjson::dom::element entry : entries) {
      simdjson::dom::array pair;
      std::string_view token;
      double score = 0;
      if (entry.get(pair) || pair.size() != 2 || pair.at(0).get(token) || pair.at(1).get(score) ||
          !std::isfinite(score)) {
        throw vocab.wrong(std::to_string(tokens.size()), "expected [\"token\", score]");
      }
      tokens.push_back(token);
      scores_.push_back(score);
    }
    if (scores_.empty()) throw vocab.wrong("expected at least one token");
    unknown_score_ = *std::ranges::min_element(scores_) - unknown_penalty;
  }

  // Viterbi, left to right.
  std::vector<Node> best_paths(std::string_view piece) const {
    std::vector<Node> best(piece.size() + 1);
    for (size_t begin = 0; begin < piece.size();) {
      const size_t character = utf8_length(static_cast<unsigned char>(piece[begin]));
      const double score = best[begin].score;
      bool has_character = false;
      trie_.for_each_prefix(piece, begin, [&](size_t length, int32_t id) {
        best[begin + length].offer(score + scores_[static_cast<size_t>(id)], id, begin);
        has_character |= length == character;
      });
      if (!has_character) {
        if (!unknown_) {
          throw input_error(
              "the character \"{}\" is not in the vocabulary, which has no unknown token (unk_id)",
              piece.substr(begin, character));
        }
        best[begin + character].offer(score + unknown_score_, *unknown_, begin);
      }
      begin += character;
    }
    return best;
  }

  void tokenize_piece(std::string_view piece, std::vector<int32_t>& ids) const {
    const std::vector<Node> best = best_paths(piece);
    std::vector<Range> path;  // from the end; neighboring unknown characters are one
    bool unknown_before = false;
    for (size_t end = piece.size(); end > 0; end = best[end].begin) {
      const bool unknown = unknown_ && best[end].id == *unknown_;
      if (unknown && unknown_before) {
        path.back().begin = best[end].begin;
      } else {
        path.push_back({best[end].begin, end});
      }
      unknown_before = unknown;
    }
    for (auto part = path.rbegin(); part != path.rend(); ++part) {
      append(piece.substr(part->begin, part->end - part->begin), ids);
    }
  }

  void append(std::string_view part, std::vector<int32_t>& ids) const {
    const auto byte_id = [this](char c) { return id_of_byte_[static_cast<unsigned char>(c)]; };
    if (const auto id = vocabulary_.find(part)) {
      ids.push_back(*id);
    } else if (byte_fallback_ &&
               std::ranges::all_of(part, [&](char c) { return byte_id(c) >= 0; })) {
      for (const char c : part) ids.push_back(byte_id(c));
    } else {
      ids.push_back(*unknown_);
    }
  }

  Vocabulary vocabulary_;
  std::vector<double> scores_;
  TokenTrie trie_;
  std::vector<int32_t> id_of_byte_;
  std::optional<int32_t> unknown_;
  double unknown_score_ = 0;
  bool byte_fallback_ = false;
  mutable WordCachePool caches_;
};

}  // namespace

std::unique_ptr<TokenModel> read_unigram(const JsonView& json) {
  return std::make_unique<Unigram>(json);
}

}  // namespace alambic
