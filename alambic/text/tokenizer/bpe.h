// Byte-pair encoding: characters, joined pair by pair in the order of the merges.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "alambic/text/tokenizer/pair_table.h"
#include "alambic/text/tokenizer/token_model.h"
#include "alambic/text/tokenizer/word_cache.h"

namespace alambic {

class Bpe : public TokenModel {
 public:
  /// Errors: merges that name tokens outside the vocabulary, an unknown token that is not in it,
  /// dropout above 0 (it would make encoding random).
  explicit Bpe(const JsonView& json);

  void tokenize(const Pieces& pieces, std::vector<int32_t>& ids) const override;
  const Vocabulary& vocabulary() const override { return vocabulary_; }

 private:
  struct Merge {
    uint32_t rank = 0;
    int32_t id = -1;
  };
  struct Symbol {
    int32_t id;
    int32_t previous;
    int32_t next;
  };
  using Symbols = std::vector<Symbol>;

  void read_merges(const JsonView& merges);
  void index_characters();
  void index_neighbors();
  std::optional<int32_t> character_id(std::string_view character) const;
  void tokenize_cached(std::string_view piece, WordCache& cache, std::vector<int32_t>& ids) const;
  size_t independent_prefix(std::string_view text) const;
  void tokenize_piece(std::string_view piece, std::vector<int32_t>& ids) const;
  Symbols characters(std::string_view piece) const;
  void merge_all(Symbols& symbols) const;

  Vocabulary vocabulary_;
  PairTable<Merge> merges_;
  std::vector<int32_t> id_of_character_;  // code point below 2^16 -> id or -1
  PairTable<bool> neighbors_;             // characters side by side in some token
  bool may_cut_ = false;
  std::vector<int32_t> id_of_byte_;  // "<0x41>", for byte_fallback
  std::string prefix_;               // continuing_subword_prefix
  std::string suffix_;               // end_of_word_suffix
  std::optional<int32_t> unknown_;
  bool fuse_unknown_ = false;
  bool byte_fallback_ = false;
  bool ignore_merges_ = false;
  mutable WordCachePool caches_;
};

std::unique_ptr<TokenModel> read_bpe(const JsonView& json);

}  // namespace alambic
