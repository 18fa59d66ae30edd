#pragma once

#include "alambic/objective/divergence.h"
#include "alambic/objective/options.h"
#include "alambic/objective/policy.h"

namespace alambic {

/// Terms that --objective names: over the whole vocabulary, over the drawn tokens, and of the given
/// ones.
struct Objective {
  Divergence divergence;     ///< no terms: none
  Policy policy;             ///< without its temperature, which is that of the sampler
  double cross_entropy = 0;  ///< weight of the cross-entropy on given completions
  bool hidden = false;       ///< hidden states are compared

  bool compares_tokens() const { return !divergence.terms.empty() || policy.reads_teacher(); }
  bool asks_teachers() const { return compares_tokens() || hidden; }
};

/// "0.7*reverse_kl+0.3*tvd" as terms. Input errors: an unknown name, a name twice, a weight that is
/// no positive number, weights that do not sum to 1; an option of the table that this objective
/// does not read.
Objective objective_of(const ObjectiveOptions& options);

}  // namespace alambic
