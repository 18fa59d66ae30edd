// Prompts that are computed once: positions at the beginning of a sequence that repeat those of the
// sequence before have no rows of their own in a pass, forward or backward.
#pragma once

#include <memory>
#include <vector>

#include "alambic/flow/packed.h"

namespace alambic {

/// Rows of a pass over packed sequences, R of them for N positions. Positions whose tokens up to
/// themselves are the same have one row, where neighboring sequences begin with them: all that a
/// model computes of them is the same, and the gradient of the row is the sum of theirs.
/// Example: sequences [5 7 9] and [5 7 2] have rows 5 7 9 2; row_N = [0 1 2 0 1 3].
struct SharedPrefixes {
  /// Positions [position, position + count) have the rows from `row` on.
  struct Span {
    int64_t position, row, count;
    bool first;  ///< no position before has these rows
  };
  std::vector<Span> spans;  ///< all positions, in order
  /// S + 1 entries: the rows of its own that sequence s has, those of its last positions, are
  /// [row_offsets[s], row_offsets[s + 1]).
  std::vector<int64_t> row_offsets = {0};
  Tensor row_N;     ///< int64, row of each position
  Tensor first_R;   ///< int64, first position of each row
  Tensor copies_R;  ///< int64, number of positions of each row

  int64_t positions() const { return row_N.size(0); }
  int64_t rows() const { return row_offsets.back(); }
};

/// Shorter ones are not shared.
inline constexpr int64_t shortest_shared_prefix = 8;

/// What a position without a row of its own keeps for the backward pass all the same (keys and
/// values, inputs of linear attention) is at most this share of a row's activations.
inline constexpr double shared_position_cost = 0.5;

using SharedPrefixesPtr = std::shared_ptr<const SharedPrefixes>;

/// Null where sequences share too little to be worth it, and where a SharePrefixes says no.
SharedPrefixesPtr shared_prefixes(const Packed& input);

/// [R, …] to [N, …]: of each position its row. Differentiable once.
Tensor to_positions(const Tensor& x_RD, const SharedPrefixesPtr& shared);
/// [N, …] to [R, …]: of each row its first position. Differentiable once.
Tensor to_rows(const Tensor& x_ND, const SharedPrefixesPtr& shared);

/// While one with `on` false is open in a thread, passes there compute every position. A scope as
/// at::AutoGradMode is one, for tests and measurements: results are the same to rounding.
class SharePrefixes {
 public:
  explicit SharePrefixes(bool on);
  ~SharePrefixes();
  SharePrefixes(const SharePrefixes&) = delete;
  SharePrefixes& operator=(const SharePrefixes&) = delete;

 private:
  bool before_;
};

}  // namespace alambic
