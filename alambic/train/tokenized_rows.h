#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "alambic/text/data/token_spool.h"
#include "alambic/text/dataset.h"
#include "alambic/train/examples.h"
#include "alambic/train/turn_counts.h"

namespace alambic {

/// Tokenized rows of a data set, on the disk (token_spool.h): what is held are their places, 12
/// bytes a row. Copies share them.
class TokenizedRows {
 public:
  TokenizedRows() = default;
  /// Rows made elsewhere, in order.
  TokenizedRows(const std::vector<TokenizedExample>& rows);

  /// Tokenizes all rows of a data set, one after another; those that `fit` does not keep are left
  /// out. `turns`, null or not, counts the conversations. Errors are tokenize's and those of the
  /// rows.
  static TokenizedRows of(const Examples& rows, const Tokenizer& tokenizer, RowFit& fit,
                          TurnCounts* turns = nullptr);

  /// None of its rows, but where their conversations come from.
  TokenizedRows emptied() const;
  void add(const TokenizedExample& example, size_t row);
  int64_t size() const { return std::ssize(places_); }
  bool empty() const { return places_.empty(); }
  /// Read from the disk, its `chat` aside.
  TokenizedExample operator[](int64_t i) const;
  /// The data set's row from which it was made.
  size_t row(int64_t i) const { return places_[i].row; }
  /// Those of a mixture's rows, counted in what was made from them.
  std::vector<RowShare> shares(std::vector<RowShare> of_rows) const;
  /// All of them, in order.
  std::vector<uint32_t> rows() const;
  /// The conversation of the row; null: it is none.
  std::shared_ptr<const Chat> chat(int64_t i) const;

 private:
  struct Place {
    int64_t at = 0;
    uint32_t row = 0;
  };
  TokenSpool spool_;
  std::vector<Place> places_;
  std::optional<Examples> source_;
  std::vector<std::shared_ptr<const Chat>> chats_;  // of rows made elsewhere
};

}  // namespace alambic
