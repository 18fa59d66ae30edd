#pragma once

#include <variant>
#include <vector>

#include "alambic/base/error.h"
#include "alambic/flow/head.h"
#include "alambic/flow/span_map.h"

namespace alambic {

/// Final hidden states of a teacher, from which its distribution over the whole vocabulary follows
/// exactly.
struct HiddenStates {
  Tensor hidden_MD;  ///< any floating dtype
  Head head;
  /// Outputs of the teacher's layers that were asked for, in that order; [M, D] each.
  std::vector<Tensor> layers_MD;
};

/// The K most likely tokens of a teacher and their log-probabilities at one temperature; the rest
/// of the mass is the tail.
struct TopK {
  Tensor logp_MK;   ///< float32, falling
  Tensor token_MK;  ///< int64
  /// float32: of the graded token itself, which may be none of the K; undefined: not known.
  Tensor logp_M;
};

/// A teacher that grades each token by one number: its log-probability of the token.
struct TokenLogp {
  Tensor logp_M;  ///< float32
};

/// A teacher with another tokenizer, which read the same bytes in tokens of its own.
struct AlignedStates {
  HiddenStates states;  ///< at its own L graded positions; without hidden_MD where logp_L is there
  SpanMap map;
  /// float32: of each of its tokens, from a teacher that gives no states; undefined: from those.
  Tensor logp_L;
  /// The most likely of its tokens at each of them, with logp_M, from a teacher that gives these;
  /// undefined: none.
  TopK topk;
};

/// A teacher's view of every graded token of some Rollouts, in one of these forms. Row m stands for
/// the m-th graded position (Rollouts::loss_positions_M), but for AlignedStates. No gradient. Who
/// reads it visits it (std::visit), so that a new form does not compile before everybody says what
/// it means.
using TeacherOutput = std::variant<HiddenStates, TopK, TokenLogp, AlignedStates>;

/// The output's hidden states, for what cannot be made from top-K: log-probabilities of drawn
/// tokens and layers. An internal error (base/error.h) where the output has another form.
inline const HiddenStates& hidden_states(const TeacherOutput& output) {
  const auto* states = std::get_if<HiddenStates>(&output);
  check(states != nullptr, "a teacher without hidden states");
  return *states;
}

}  // namespace alambic
