#include "alambic/text/tokenizer/bpe.h"

#include <algorithm>
#include <limits>

#include "alambic/base/json_view.h"
#include "alambic/base/utf8.h"

namespace alambic {
namespace {

constexpr char32_t indexed_characters = 0x10000;

// "a b" or ["a", "b"].
std::pair<std::string_view, std::string_view> merge_parts(const JsonView& merges, size_t index,
                                                          simdjson::dom::element merge) {
  std::string_view text;
  if (!merge.get(text)) {
    const size_t space = text.find(' ');
    if (space != text.npos && text.find(' ', space + 1) == text.npos) {
      return {text.substr(0, space), text.substr(space + 1)};
    }
  }
  simdjson::dom::array pair;
  std::string_view first, second;
  if (!merge.get(pair) && pair.size() == 2 && !pair.at(0).get(first) && !pair.at(1).get(second)) {
    return {first, second};
  }
  throw merges.wrong(std::to_string(index), "expected \"a b\" or [\"a\", \"b\"]");
}

}  // namespace

Bpe::Bpe(const JsonView& json) : vocabulary_(Vocabulary::read(json.at("vocab"))) {
  if (const auto dropout = json.find("dropout"); dropout && dropout->number() != 0) {
    throw dropout->wrong("dropout would make encoding random; expected null");
  }
  prefix_ = json.string_or("continuing_subword_prefix", "");
  suffix_ = json.string_or("end_of_word_suffix", "");
  fuse_unknown_ = json.boolean_or("fuse_unk", false);
  byte_fallback_ = json.boolean_or("byte_fallback", false);
  ignore_merges_ = json.boolean_or("ignore_merges", false);
  if (const auto unknown = json.find("unk_token"); unknown && !unknown->string().empty()) {
    unknown_ = vocabulary_.find(unknown->string());
    if (!unknown_) throw unknown->wrong("the unknown token is not in the vocabulary");
  }
  read_merges(json.at("merges"));
  index_characters();
  index_neighbors();
}

void Bpe::read_merges(const JsonView& merges) {
  const simdjson::dom::array array = merges.array();
  merges_ = PairTable<Merge>(array.size());
  uint32_t rank = 0;
  std::string joined;
  const auto id_of = [&](std::string_view token) {
    const auto id = vocabulary_.find(token);
    if (!id) {
      throw merges.wrong(std::to_string(rank),
                         fmt::format("the token \"{}\" is not in the vocabulary", token));
    }
    return *id;
  };
  for (const simdjson::dom::element merge : array) {
    const auto [first, second] = merge_parts(merges, rank, merge);
    const int32_t left = id_of(first), right = id_of(second);
    joined = first;
    joined += second.substr(second.starts_with(prefix_) ? prefix_.size() : 0);
    merges_.insert(left, right, {rank, id_of(joined)});
    ++rank;
  }
}

void Bpe::index_characters() {
  id_of_character_.assign(indexed_characters, -1);
  for (int32_t id = 0; id < vocabulary_.limit(); ++id) {
    const std::string* token = vocabulary_.token(id);
    if (!token || token->empty()) continue;
    size_t position = 0;
    const char32_t c = next_code_point(*token, position);
    if (position == token->size() && c < indexed_characters) id_of_character_[c] = id;
  }
  id_of_byte_ = vocabulary_.byte_tokens();
}

// Text without pre-tokenizer (Llama 2) is one piece. Two known characters that no token has side by
// side are never joined, so the text may be cut between them and its words found in the cache.
void Bpe::index_neighbors() {
  may_cut_ = prefix_.empty() && suffix_.empty() && !ignore_merges_;
  if (!may_cut_) return;
  for (int32_t id = 0; id < vocabulary_.limit(); ++id) {
    const std::string* token = vocabulary_.token(id);
    if (!token || token->empty()) continue;
    size_t position = 0;
    auto left = static_cast<int32_t>(next_code_point(*token, position));
    while (position < token->size()) {
      const auto right = static_cast<int32_t>(next_code_point(*token, position));
      neighbors_.insert(left, right, true);
      left = right;
    }
  }
}

// Bytes up to the first place where `text` may be cut; all of it when there is none.
size_t Bpe::independent_prefix(std::string_view text) const {
  size_t position = 0;
  char32_t left = next_code_point(text, position);
  while (position < text.size()) {
    const size_t cut = position;
    const char32_t right = next_code_point(text, position);
    const bool known = left < indexed_characters && right < indexed_characters &&
                       id_of_character_[left] >= 0 && id_of_character_[right] >= 0;
    if (known && !neighbors_.find(static_cast<int32_t>(left), static_cast<int32_t>(right))) {
      return cut;
    }
    left = right;
  }
  return text.size();
}

void Bpe::tokenize(const Pieces& pieces, std::vector<int32_t>& ids) const {
  if (pieces.text.size() > std::numeric_limits<int32_t>::max()) {
    throw input_error("cannot tokenize {} bytes at once; the limit is 2 GiB", pieces.text.size());
  }
  auto cache = caches_.take();
  for (const Range& range : pieces.ranges) {
    std::string_view piece = pieces.piece(range);
    while (may_cut_ && piece.size() > WordCache::longest_word) {
      const size_t length = independent_prefix(piece);
      tokenize_cached(piece.substr(0, length), *cache, ids);
      piece.remove_prefix(length);
    }
    if (!piece.empty()) tokenize_cached(piece, *cache, ids);
  }
  caches_.give_back(std::move(cache));
}

void Bpe::tokenize_cached(std::string_view piece, WordCache& cache,
                          std::vector<int32_t>& ids) const {
  if (piece.size() > WordCache::longest_word) return tokenize_piece(piece, ids);
  size_t slot = 0;
  if (const auto* known = cache.find(piece, slot)) {
    ids.insert(ids.end(), known->begin(), known->end());
    return;
  }
  const size_t start = ids.size();
  tokenize_piece(piece, ids);
  cache.store(piece, slot, std::span(ids).subspan(start));
}

void Bpe::tokenize_piece(std::string_view piece, std::vector<int32_t>& ids) const {
  if (ignore_merges_) {
    if (const auto id = vocabulary_.find(piece)) {
      ids.push_back(*id);
      return;
    }
  }
  Symbols symbols = characters(piece);
  if (symbols.empty()) return;
  merge_all(symbols);
  for (int32_t i = 0; i >= 0; i = symbols[static_cast<size_t>(i)].next) {
    ids.push_back(symbols[static_cast<size_t>(i)].id);
  }
}

std::optional<int32_t> Bpe::character_id(std::string_view character) const {
  size_t position = 0;
  if (const char32_t c = next_code_point(character, position);
      position == character.size() && c < indexed_characters) {
    const int32_t id = id_of_character_[c];
    return id < 0 ? std::nullopt : std::optional(id);
  }
  return vocabulary_.find(character);
}

Bpe::Symbols Bpe::characters(std::string_view piece) const {
  Symbols symbols;
  symbols.reserve(piece.size());
  const auto add = [&symbols](int32_t id) {
    const auto n = static_cast<int32_t>(symbols.size());
    symbols.push_back({id, n - 1, n + 1});
  };
  bool unknown_pending = false;
  std::string decorated;
  for (size_t i = 0; i < piece.size();) {
    const size_t length = utf8_length(static_cast<unsigned char>(piece[i]));
    std::string_view character = piece.substr(i, length);
    const bool first = i == 0;
    i += length;
    if (!prefix_.empty() || !suffix_.empty()) {
      decorated =
          fmt::format("{}{}{}", first ? "" : prefix_, character, i == piece.size() ? suffix_ : "");
      character = decorated;
    }
    if (const auto id = character_id(character)) {
      if (unknown_pending) add(*unknown_);
      unknown_pending = false;
      add(*id);
      continue;
    }
    const auto byte_id = [this](char c) { return id_of_byte_[static_cast<unsigned char>(c)]; };
    if (byte_fallback_ &&
        std::all_of(character.begin(), character.end(), [&](char c) { return byte_id(c) >= 0; })) {
      for (const char c : character) add(byte_id(c));
    } else if (unknown_) {
      if (unknown_pending && !fuse_unknown_) add(*unknown_);
      unknown_pending = true;
    }
  }
  if (unknown_pending) add(*unknown_);
  if (!symbols.empty()) symbols.back().next = -1;
  return symbols;
}

// The pair of lowest rank first, the leftmost among equals; O(n log n).
void Bpe::merge_all(Symbols& symbols) const {
  std::vector<uint64_t> queue;  // rank << 32 | position of the left symbol
  const auto rank_at = [&](int32_t left) -> const Merge* {
    const Symbol& symbol = symbols[static_cast<size_t>(left)];
    if (symbol.id < 0 || symbol.next < 0) return nullptr;
    return merges_.find(symbol.id, symbols[static_cast<size_t>(symbol.next)].id);
  };
  const auto entry = [](const Merge& merge, int32_t left) {
    return uint64_t{merge.rank} << 32 | static_cast<uint32_t>(left);
  };
  for (size_t i = 0; i + 1 < symbols.size(); ++i) {
    const auto left = static_cast<int32_t>(i);
    if (const Merge* merge = rank_at(left)) queue.push_back(entry(*merge, left));
  }
  std::make_heap(queue.begin(), queue.end(), std::greater<>());
  const auto push = [&](int32_t left) {
    if (left < 0) return;
    if (const Merge* merge = rank_at(left)) {
      queue.push_back(entry(*merge, left));
      std::push_heap(queue.begin(), queue.end(), std::greater<>());
    }
  };
  while (!queue.empty()) {
    std::pop_heap(queue.begin(), queue.end(), std::greater<>());
    const uint64_t top = queue.back();
    queue.pop_back();
    const auto left = static_cast<int32_t>(top & 0xFFFFFFFF);
    const Merge* merge = rank_at(left);
    if (!merge || merge->rank != top >> 32) continue;  // one of the two was merged meanwhile
    Symbol& symbol = symbols[static_cast<size_t>(left)];
    Symbol& right = symbols[static_cast<size_t>(symbol.next)];
    symbol.id = merge->id;
    symbol.next = right.next;
    right.id = -1;
    if (right.next >= 0) symbols[static_cast<size_t>(right.next)].previous = left;
    push(symbol.previous);
    push(left);
  }
}

std::unique_ptr<TokenModel> read_bpe(const JsonView& json) { return std::make_unique<Bpe>(json); }

}  // namespace alambic
