#pragma once

#include "alambic/nn/rope_settings.h"
#include "alambic/tensor/tensor.h"

namespace alambic {

/// The rotary angles of a pass's tokens. Turns the first 2·(columns of cos) entries of each head;
/// without tables (layers without positions) it returns its argument.
struct Rotation {
  Tensor cos_Nd, sin_Nd;
  Tensor operator()(const Tensor& x_NHd) const;
  /// Turns by as much the other way.
  Rotation back() const { return {cos_Nd, -sin_Nd}; }
};

/// Rotation of a model's heads, by position. Angles are made as they are needed: a table of a long
/// context would take hundreds of megabytes, and a pass has few positions of it.
struct Rope {
  Tensor frequency_d;                 ///< float32, turns per position, [rotary width / 2]
  double magnitude = 1;               ///< factor of cos and sin
  at::ScalarType dtype = at::kFloat;  ///< type of cos and sin: float64 for a model in float64

  Rope() = default;
  /// Angles in float32, as transformers computes them (modeling_rope_utils.py). "dynamic" stretches
  /// beyond the model's context only, so here it is the default; "longrope" is used within the
  /// original context, with its short factors.
  Rope(int64_t head_width, const RopeSettings& settings);
  void to(at::Device device, at::ScalarType dtype);
  Rotation at(const Tensor& positions_N) const;
};

/// x0 y0 x1 y1 … to x0 x1 … y0 y1 …, the order in which Rotation turns. Queries and keys that are
/// both in that order have the products of the pairs.
Tensor halves_of_pairs(const Tensor& x_NHR);
Tensor pairs_of_halves(const Tensor& x_NHR);

/// Turns per position of each pair of entries, float32.
Tensor rope_frequencies(int64_t head_width, const RopeSettings& settings);
/// YaRN's m: 0.1 · mscale · ln(factor) + 1, and 1 where nothing is stretched (arXiv 2309.00071).
double yarn_magnitude(double factor, double mscale);
/// Factor of cos and sin.
double rope_attention_factor(const RopeSettings& settings);

}  // namespace alambic
