#pragma once

#include <functional>
#include <vector>

#include "alambic/objective/piece_places.h"

namespace alambic {

/// Whether a bucket of a chunk's row, by row and cell, is known; empty: all are.
using KnownCells = std::function<bool(int64_t row, int64_t cell)>;

/// Rows of a chunk at places that lie inside of a model's token.
///
/// A student that writes "43" as one token has no row behind its "4", where the teacher has one.
/// But with its tokens that begin with "4" it has said which it would have written: of those the
/// cells are compared that they go on with. Where it would have ended with the "4" it has not said
/// what comes next: that part is taken to lie as the other model has it, among the cells that may
/// come there. One for which it has a token of just that cell more ("48") may not, since a
/// tokenizer writes that token instead. So nothing is asked that a model has not said, the buckets
/// sum to 1, and models that write the same texts have no loss and no gradient there.
class InsideRows {
 public:
  /// Those of the places `begin` … that are inside of one of the model's tokens.
  InsideRows(const PieceTokens& tokens, int64_t begin, int64_t count);

  /// Writes the logits of the model's buckets into their rows of bucket_CB. `logits_CV`: of the
  /// rows in which its tokens began, at the temperature; `other_CB`: logits of the buckets of the
  /// other model, which has rows there. Cells whose mass there is not known are as good as not
  /// said: together with all that is not, they are one bucket of both.
  void write_buckets(const Tensor& logits_CV, const Tensor& other_CB, const Tensor& bucket_CB,
                     const KnownCells& known = {});

  /// Writes the gradient with regard to the tokens' logits into their rows of logits_CV, from that
  /// with regard to the buckets'.
  void write_gradient(const Tensor& gradient_CB, const Tensor& logits_CV) const;

 private:
  // Tokens of a row that go on with one cell.
  struct Bucket {
    size_t row;  // place in row_r_
    int64_t cell;
    bool certain;     // one of them ends with the cell: nothing else writes it
    bool own = true;  // else it is as good as not said
    double mass = 0;
  };
  // A token that agrees with the text so far.
  struct Token {
    size_t row;
    int64_t id;
    int64_t bucket;  // place in buckets_; -1: it ends there
    double mass = 0;
  };
  void add_row(const TokenPaths& paths, int64_t row, int64_t token, int64_t written);
  void add_masses(const Tensor& logits_CV);
  // Log of what the unsaid part is of the other model's masses, by row.
  std::vector<double> settle(const std::vector<double>& other_b, std::vector<double> other_rest_r,
                             const KnownCells& known);

  std::vector<int64_t> row_r_;  // rows of the chunk
  std::vector<Bucket> buckets_;
  std::vector<Token> tokens_;
  std::vector<double> rest_r_;  // mass in no bucket of its own
};

}  // namespace alambic
