// Kernels of decoding on an accelerator that has them (kernels/device.h); nothing waits for the
// device, and no gradient passes. Callers ask first.
#pragma once

#include "alambic/kernels/attention.h"
#include "alambic/kernels/device_norm.h"

namespace alambic::kernels::on_device {

/// Attention of one query per sequence over its cache. `keys`: [pages, K, entries of a page, d],
/// `values` [pages, K, entries of a page, dv], whose numbers may be the keys' own. Query b has the
/// pages of row b of pages_BP, in order, and sees the entries up to places_B[b] (int64 both), of
/// which there are at most `longest`. Returns [B, H, dv].
Tensor cached_attention(const Tensor& q_BHd, const Tensor& keys, const Tensor& values,
                        const Tensor& pages_BP, const Tensor& places_B, int64_t longest,
                        const AttentionOptions& options);

/// Whether the widths, types and strides are such that it can be asked.
bool takes_cached_attention(const Tensor& q_BHd, const Tensor& keys, const Tensor& values,
                            const AttentionOptions& options);

/// Writes row b of rows_BKd to entry places_B[b] of the pages in row b of pages_BP.
void write_entries(const Tensor& rows_BKd, const Tensor& cache, const Tensor& pages_BP,
                   const Tensor& places_B);

/// Heads of one projection, [B, heads, d], and the norm of each of them that comes first.
struct HeadRows {
  Tensor x_BHd;
  Tensor norm_d;  ///< undefined: none
  NormStyle style = {};
};

/// The heads of the new tokens of running sequences, whose angles cos and sin are, [B, half of what
/// turns of a head]; both undefined: nothing turns.
struct NewHeads {
  HeadRows q, k;
  Tensor v_BKd;
  Tensor cos_Bd, sin_Bd;
};

/// What write_entries, cached_attention, norms and turns do one after another, in two launches.
Tensor decode_attention(const NewHeads& heads, const Tensor& keys, const Tensor& values,
                        const Tensor& pages_BP, const Tensor& places_B, int64_t longest,
                        const AttentionOptions& options);
bool takes_decode_attention(const NewHeads& heads, const Tensor& keys, const Tensor& values,
                            const AttentionOptions& options);

/// Settings of a draw (rollout/sampling.h).
struct DrawOptions {
  double temperature = 1;
  int64_t top_k = 0;
  double top_p = 1, min_p = 0;
};

/// Coins of draws: those of (seed, step, id, position), the CPU's.
struct DrawCoins {
  uint64_t seed = 0, step = 0;
  Tensor id_B;     ///< int64
  Tensor place_B;  ///< int64: positions of the tokens before the drawn ones
};

/// A draw for each row of float32 logits, the CPU's token for it, to `token_B` (int64). `drawn_2B`
/// (float64) gets tokens and the logarithms of their probabilities; NaN where a logit of the row is
/// not finite. `advance`: places become those of the drawn tokens.
void draw(const Tensor& logits_BV, const DrawOptions& options, const DrawCoins& coins,
          const Tensor& token_B, const Tensor& drawn_2B, bool advance);

}  // namespace alambic::kernels::on_device
