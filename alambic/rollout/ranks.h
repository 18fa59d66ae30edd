// What ranks tell each other that write the same completions together.
#pragma once

#include <optional>
#include <vector>

#include "alambic/dist/world.h"
#include "alambic/flow/head.h"
#include "alambic/rollout/sample.h"

namespace alambic {

/// Messages, by what World::received names them.
inline constexpr const char* gathering_logits = "gathering logits";
inline constexpr const char* telling_tokens = "telling drawn tokens";

/// head_logits() of hidden states that all ranks have, [B, D] to [B, V] on each of them: a rank
/// multiplies with the rows of as near to equal a part of the vocabulary as can be.
Tensor logits_of_ranks(const World& ranks, const Head& head, const Tensor& hidden_BD);

/// Makes the draws those of the first rank, so that a last bit in which ranks differ cannot part
/// their sequences. Nothing where that rank could not draw: it says why.
void tell_drawn(const World& ranks, std::vector<std::optional<Drawn>>& drawn);

}  // namespace alambic
