#pragma once

#include <optional>
#include <utility>
#include <vector>

#include "alambic/flow/teacher_output.h"

namespace alambic {

/// Probabilities of a teacher's tokens at one place, of which some are known.
struct ListedRow {
  std::vector<std::pair<int64_t, double>> known;  ///< by token, rising
  double tail = 0;                                ///< all others together; with the known ones 1

  std::optional<double> of(int64_t token) const;
};

/// What a teacher that gives its K most likely tokens, and the one that was chosen, has said at
/// each of its graded tokens. Numbers on the CPU.
class ListedTokens {
 public:
  /// `token_L`: the chosen ones, of a vocabulary of so many. The tail is at least kLeastTail while
  /// tokens are left for it (topk.h). An input error: a token that the vocabulary does not have.
  ListedTokens(const TopK& topk, const Tensor& token_L, int64_t vocabulary);

  ListedRow row(int64_t graded) const;

 private:
  int64_t k_, vocabulary_;
  std::vector<int64_t> token_LK_, token_L_;
  std::vector<double> logp_LK_, logp_L_;
};

}  // namespace alambic
