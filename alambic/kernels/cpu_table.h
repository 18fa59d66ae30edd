// The float32 kernels of one instruction set, on raw pointers. Included by files that are compiled
// once per instruction set, so it must bring no inline function of the standard library or
// libtorch: the linker would be free to keep the AVX-512 copy of it for everybody.
#pragma once

#include <cstdint>

namespace alambic::kernels {

/// c (+)= a·b, with a(m, k) = a[m·a_row + k·a_col], c dense along e, and b dense along e with rows
/// b_row apart, or, where a kernel is called transposed, dense along k with columns b_row apart.
/// The order of each sum depends on K and the kernel only, never on M, E or the blocking.
struct ProductArgs {
  const float* a;
  int64_t a_row, a_col;
  const float* b;
  int64_t b_row;
  float* c;
  int64_t c_row;
  int64_t M, K, E;
  bool accumulate;
};

/// Formats of packed weights that kernels decode in registers (packed_formats_cpu.h); of every
/// other one PackedArgs::decode makes the numbers.
enum class PackedFormat {
  other,
  bf16,
  f16,
  q4_0,
  q4_1,
  q5_0,
  q5_1,
  q8_0,
  q2_k,
  q3_k,
  q4_k,
  q5_k,
  q6_k,
  iq4_nl,
  mxfp4
};

/// Columns that are decoded at a time: whole blocks of every format.
inline constexpr int64_t packed_slab = 256;

/// Scales of tiles of `rows` × `columns` numbers of F8_E4M3; null: the rows have none.
struct TileArgs {
  const float* scales = nullptr;  ///< `across` of them for each row of tiles
  int64_t rows = 1, columns = 1, across = 1;
  int64_t first_row = 0;  ///< place of the first row of b in its first row of tiles, or below
};

/// c (+)= a·bᵀ with packed rows of b, or, where a kernel says so, c = a·b. The sums are those of
/// the kernel for the decoded b, bit for bit.
struct PackedArgs {
  const float* a;  ///< dense along its columns
  int64_t a_row;
  const uint8_t* b;
  int64_t b_row;  ///< bytes
  PackedFormat format;
  int64_t block, block_bytes;  ///< numbers and bytes of a block of the format
  /// Decodes whole blocks that code `count` numbers; `dtype` is passed on to it.
  void (*decode)(int dtype, const uint8_t* blocks, int64_t count, float* numbers);
  int dtype;
  TileArgs tiles = {};
  float* c;
  int64_t c_row;
  int64_t M, K, E;  ///< K: columns of a
  bool accumulate;
};

/// Rows of a [N, H, d] tensor whose last dimension is dense.
struct HeadsArgs {
  const float* x;
  int64_t x_row, x_head;
  const float *cos, *sin;  ///< [N, d/2]
  float* y;                ///< [N, H, d], dense
  int64_t N, H, d;
};

/// One sequence and one key/value head, with the `group` query heads that read it.
struct AttentionArgs {
  const float* q;      ///< at the sequence's first query and the unit's first head
  const float *k, *v;  ///< at the sequence's first position and the unit's head
  int64_t q_row, q_head, k_row, v_row;
  int64_t length, d, group;
  int64_t skipped;  ///< the first positions, which have no query: q, out and lse begin behind them
  float scale;
  int64_t window;      ///< 0: no limit
  float softcap;       ///< 0: none
  const float* sinks;  ///< [group], or null
  float* out;  ///< [length − skipped, group, d] at out_row, out_head; an input of the backward pass
  int64_t out_row, out_head;
  float* lse;  ///< log Σ exp of the scaled scores and the sink, at lse_row per position and 1 per
               ///< head; not null
  int64_t lse_row;
  float* scratch;  ///< attention_scratch(length, d) floats
};

/// Gradients of one unit. dq has the layout of out; dk and dv, of all positions, are written, not
/// added to.
struct AttentionGradArgs {
  AttentionArgs forward;
  const float* dout;
  int64_t dout_row, dout_head;
  float *dq, *dk, *dv;
  int64_t dk_row;  ///< distance of rows in dk and dv
};

/// Entries of a cache that are looked at together.
inline constexpr int64_t cached_chunk = 128;

/// The `group` queries of one running sequence that read one key/value head of its cache.
struct CachedAttentionArgs {
  const float* q;            ///< [group, d], dense
  const void *k, *v;         ///< float32, or bfloat16 where there is scratch
  float* scratch;            ///< cached_chunk · d floats, or null
  int64_t length, d, group;  ///< k, v: [length, d], dense
  float scale;
  int64_t window;
  float softcap;
  const float* sinks;  ///< [group], or null
  float* out;          ///< [group, d], dense
};

inline constexpr int64_t round_up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }

/// Row distance of a [·, length] scratch matrix: an odd number of cache lines, since rows that lie
/// a multiple of 4 KiB apart evict each other from the first-level cache.
inline constexpr int64_t long_row(int64_t length) { return ((length + 15) / 16 | 1) * 16; }

/// Query positions handled together by the attention kernels.
inline constexpr int64_t query_block = 16;

/// Floats of scratch for one unit, enough for the backward pass too.
inline constexpr int64_t attention_scratch(int64_t length, int64_t d) {
  return 2 * d * long_row(length) + 3 * round_up(length, 16) * round_up(d, 16) +
         2 * query_block * long_row(length) + 3 * query_block * round_up(d, 16);
}

/// Logits of a row that a draw looks at together, and the columns in which they lie: the same for
/// every instruction set.
inline constexpr int64_t token_block = 512, token_columns = 16;

struct CpuTable {
  const char* name;
  int lanes;  ///< floats in a vector
  void (*product)(const ProductArgs&);
  /// Dot products with b where it lies. Needs a_col 1.
  void (*product_transposed)(const ProductArgs&);
  /// Product with many rows: panels of b are copied first. Sums as those of `product`, bit for bit.
  void (*product_many)(const ProductArgs&);
  void (*product_many_transposed)(const ProductArgs&);
  /// y = weight · (x · inverse[n]), inverse = 1 / sqrt(mean(x²) + epsilon); x, y: [N, D] dense.
  /// `inverse` may be null.
  void (*rms_norm)(const float* x, const float* weight, double epsilon, float* y, float* inverse,
                   int64_t N, int64_t D);
  /// dx, and dweight as the sum over these N rows (written, not added to). Either may be null.
  void (*rms_norm_grad)(const float* x, const float* weight, const float* inverse, const float* dy,
                        float* dx, float* dweight, int64_t N, int64_t D);
  /// `direction` 1 turns by the angle, −1 back.
  void (*rope)(const HeadsArgs&, float direction);
  /// y = silu(gate)·up, and the gradients of both; without `up` (null) that of gate alone.
  void (*swiglu)(const float* gate, const float* up, float* y, int64_t n);
  void (*swiglu_grad)(const float* gate, const float* up, const float* dy, float* dgate, float* dup,
                      int64_t n);
  /// The same of GELU's tanh form.
  void (*geglu)(const float* gate, const float* up, float* y, int64_t n);
  void (*geglu_grad)(const float* gate, const float* up, const float* dy, float* dgate, float* dup,
                     int64_t n);
  void (*attention)(const AttentionArgs&);
  void (*attention_grad)(const AttentionGradArgs&);
  void (*cached_attention)(const CachedAttentionArgs&);
  /// The largest value of each column of every block, a [token_block / token_columns,
  /// token_columns] matrix; maxima: [blocks, token_columns]. False when a value is not finite.
  bool (*column_maxima)(const float* logits, int64_t blocks, float* maxima);
  /// Sums of exp((logit − largest) · inverse_temperature) of every block, in float32 along its
  /// columns, then in double. No logit is above `largest`.
  void (*block_weights)(const float* logits, int64_t blocks, float largest,
                        float inverse_temperature, double* sums);
  /// The same weights in the logits' place, for `groups` · token_columns of them.
  void (*token_weights)(float* values, int64_t groups, float largest, float inverse_temperature);
  /// c (+)= a·bᵀ by packed rows of b, as product_transposed and product_many_transposed sum.
  void (*packed_few)(const PackedArgs&);
  void (*packed_many)(const PackedArgs&);
  /// c (+)= a·b by packed rows of b, of which there are K, as product_many sums: E columns of b
  /// from column `first` on, where a block begins. Another one begins after the last, or the row
  /// ends.
  void (*packed_input_grad)(const PackedArgs&, int64_t first);
};

}  // namespace alambic::kernels
