#pragma once

#include <cstdint>
#include <string>

#include "alambic/options/options.h"

namespace alambic {

struct TokenizedExample;

/// Treatment of rows that are longer than a model's context.
enum class OnLongRow { error, skip, truncate };

struct LongRowOptions {
  OnLongRow on_long_row = OnLongRow::error;

  void visit(OptionVisitor& v) {
    v.choice(
        "on-long-row", on_long_row,
        {{"error", OnLongRow::error}, {"skip", OnLongRow::skip}, {"truncate", OnLongRow::truncate}},
        "rows longer than the context: an error, left out, or their completions cut at its "
        "end (a prompt that leaves no room is left out); how many is said");
  }
};

/// Context that rows have to fit into, and what became of those that do not.
struct RowFit {
  int64_t positions = 0;  ///< tokens that the context holds
  OnLongRow on_long_row = OnLongRow::error;
  int64_t kept = 0, skipped = 0, truncated = 0, longest = 0;
  std::string first;  ///< place of the first long row

  /// Whether the row is kept; a completion may be cut. Input errors begin with `place`: an empty
  /// prompt or completion, with OnLongRow::error a prompt that leaves no room for a completion, or
  /// a prompt and completion that are longer than the context.
  bool fit(const std::string& place, TokenizedExample& row);

  /// Says how many rows of `name` were left out or cut; an input error where none is left.
  void report(const std::string& name) const;
};

}  // namespace alambic
