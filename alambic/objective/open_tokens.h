#pragma once

#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "alambic/objective/piece_places.h"

namespace alambic {

/// An open token of less is none: less says nothing in float32.
inline constexpr double kLeastOpenShare = 0x1p-24;

/// What a text that began in other tokens adds to some rows' buckets, as constants of the gradient.
struct MixedBuckets {
  Tensor row_n, cell_n;
  Tensor own_n;  ///< share of the bucket that is the row's own

  /// Of a gradient with regard to the buckets' logits the part of the row's own, in place; of the
  /// rest what the logits' sum of exponentials has: gradients of whole rows, and which they are.
  std::pair<Tensor, Tensor> split(const Tensor& gradient_CB, const Tensor& logits_CV) const;
};

/// Tokens of a model that a text written in other tokens may be in the middle of.
///
/// A teacher that writes "Nina" as one token, read where its student wrote "N", has nothing to say
/// of what comes behind a lone "N", which it never writes; what it had to say it said one span
/// before. And a student that writes a lone "4", and "48" as one token, has said that no 8 comes.
/// So a model's buckets where it has a row are a mean of two: that row, by how likely
/// it is to have written just the cells so far; and what is left of each longer token that the text
/// has agreed with until now, by that token's probability: then they are those of its text. With
/// equal vocabularies there are no such tokens.
class OpenTokens {
 public:
  /// `places` must outlive this. `paths`, `written_Z`: those of the model (PieceTokens).
  OpenTokens(const PiecePlaces& places, std::shared_ptr<const TokenPaths> paths,
             std::vector<int64_t> written_Z);

  /// The model's buckets at places begin …, which follow those of the last call. `bucket_CB`: the
  /// logits of those of its rows alone (piece_buckets.h), changed in place but for places inside of
  /// a token; `logits_CV`: of the rows; `token_C`, `rest_C`: the tokens that the text wrote, and
  /// log-probabilities of the rest of whole spans.
  MixedBuckets mix(int64_t begin, const Tensor& logits_CV, const Tensor& token_C,
                   const Tensor& rest_C, const Tensor& bucket_CB);

 private:
  struct Open {
    int32_t token;
    int64_t written;  // cells of its path
    double mass;
  };
  struct Drawn;  // probabilities of the tokens that begin with the places' cells
  Drawn drawn(int64_t begin, const Tensor& logits_CV, const Tensor& log_sum_C1) const;
  void pass(int64_t place, double written_mass, Drawn& drawn, int64_t row);
  std::map<int32_t, double> going_on(int64_t place) const;
  bool inside(int64_t place) const { return written_Z_.at(place) > 0; }

  const PiecePlaces& places_;
  std::shared_ptr<const TokenPaths> paths_;
  std::vector<int64_t> written_Z_;
  double closed_ = 1;  // that it wrote the cells so far; with open_ it sums to 1
  std::vector<Open> open_;
};

}  // namespace alambic
