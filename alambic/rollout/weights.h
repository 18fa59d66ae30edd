// The passes over a row of logits that a draw is made of. A token's weight is
// exp((logit − largest) / temperature): its probability but for the sum.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "alambic/kernels/cpu_table.h"

namespace alambic {

/// A row of logits, scanned once. The row must outlive this.
struct Scan {
  std::span<const float> logits;
  float largest = 0;
  /// The row is looked at in groups of `block / lanes` logits: those of one block that are equal
  /// modulo `lanes`. One maximum per group, lane after lane within a block; a padded last block
  /// gives the lowest float where a group is empty.
  std::vector<float> maxima;

  static constexpr size_t lanes = kernels::token_columns, block = kernels::token_block;
};

/// Finds the maxima. A logit that is not finite is an input error that names it.
Scan scan(std::span<const float> logits);

/// Advice where a logit is not finite.
inline constexpr const char* not_finite_hint =
    "the weights hold values that are not finite, or overflow in this dtype; check the file, or "
    "try "
    "--dtype float32";

/// 1 / temperature as the passes below take it, kept finite.
float inverse(double temperature);

/// Replaces logits by their weights. The relative error of a weight is below 4e-7 for weights
/// above e^-8 and grows with |log weight|; below e^-87 a weight is zero.
void weigh(std::span<float> values, float largest, float inverse_temperature);

/// Sums of the weights of every block, in float32 within a block: 32 additions a lane.
std::vector<double> block_weights(const Scan& scan, float inverse_temperature);

}  // namespace alambic
