// A teacher's buckets at a chunk of places: from its hidden states, or from what it has said.
#pragma once

#include "alambic/objective/head_chunks.h"
#include "alambic/objective/inside_tokens.h"
#include "alambic/objective/open_tokens.h"
#include "alambic/objective/piece_bounds.h"
#include "alambic/objective/piece_buckets.h"

namespace alambic {

/// Both are asked for chunk after chunk of places. `own_CB`: logits of the student's buckets; where
/// the student is inside of a token they are not there yet, and not read.
struct WholePieceTeacher {
  WholePieceTeacher(const PiecePlaces& places, const AlignedStates& teacher, double temperature,
                    int64_t rows, at::ScalarType dtype, const ChunkOptions& chunk);

  /// Writes the logits of the teacher's buckets.
  void write(int64_t begin, const Tensor& own_CB, const Tensor& other_CB);
  KnownCells known() const { return {}; }
  /// Probability of the cell that the text writes at each place of the chunk, or less.
  std::vector<double> written_C(int64_t begin, const Tensor& other_CB) const;

  const PiecePlaces& places;
  double temperature;
  PieceTokens tokens;
  CellTokens of_cells;
  HeadChunks chunks;
  Tensor rest_Z, cell_Z;
  OpenTokens open;
};

/// A teacher that has said its most likely tokens: of all its distributions that are possible
/// (PieceBounds) the one nearest to the student's. Where the student is inside of a token, known
/// buckets alone are told apart.
struct ListedPieceTeacher {
  ListedPieceTeacher(const PiecePlaces& places, const AlignedStates& teacher,
                     const PieceTokens& student);

  void write(int64_t begin, const Tensor& own_CB, const Tensor& other_CB);
  KnownCells known() const;
  std::vector<double> written_C(int64_t begin, const Tensor& other_CB) const;
  /// Sum over all places so far of the mass that is known of some bucket.
  double known_mass = 0;

 private:
  void write_nearest(const Tensor& own_CB, const Tensor& other_CB,
                     const std::vector<int64_t>& row_r) const;
  void write_known(const Tensor& other_CB, int64_t row) const;

  const PiecePlaces& places_;
  const PieceTokens& student_;
  PieceTokens tokens_;
  PieceBounds bounds_;
  std::vector<std::vector<BucketBound>> bounds_C_;
};

}  // namespace alambic
