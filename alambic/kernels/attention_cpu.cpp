// Attention of one unit (a sequence and a key/value head), forward and backward, and of one query
// over a cache. Scores exist for query_block positions at a time.
#include "alambic/kernels/kernels_cpu.h"
#include "alambic/kernels/packed_dispatch_cpu.h"
#include "alambic/kernels/simd/math.h"
#include "alambic/kernels/simd/transpose.h"

namespace alambic::kernels::ALAMBIC_ISA {
namespace {

/// to[n][·] = from[n·row + ·], columns d..padded zero.
void copy_rows(const float* from, int64_t row, int64_t N, int64_t d, float* to, int64_t padded) {
  for (int64_t n = 0; n < N; ++n, from += row, to += padded) {
    for (int64_t i = 0; i < d; ++i) to[i] = from[i];
    for (int64_t i = d; i < padded; ++i) to[i] = 0;
  }
}

/// to[i·to_row + n] = from[n·row + i], columns N..to_row zero.
void transpose_rows(const float* from, int64_t row, int64_t N, int64_t d, float* to,
                    int64_t to_row) {
  transpose(from, row, N, d, to, to_row);
  for (int64_t i = 0; i < d; ++i) {
    for (int64_t n = N; n < to_row; ++n) to[i * to_row + n] = 0;
  }
}

/// Columns of a block's score rows that are in use, a multiple of the vector.
int64_t columns(int64_t last) { return round_up(last, lanes); }

/// Cuts scores [begin, end) of a row to those of [from, seen).
void hide(float* scores, int64_t begin, int64_t from, int64_t seen, int64_t end) {
  for (int64_t j = begin; j < from; ++j) scores[j] = -__builtin_inff();
  for (int64_t j = seen; j < end; ++j) scores[j] = -__builtin_inff();
}

/// First position that position n sees.
int64_t window_start(int64_t n, int64_t window) {
  return window > 0 && n >= window ? n - window + 1 : 0;
}

/// Query positions [first, seen) that are handled together, and the columns [begin, used) of their
/// scores. Blocks end at multiples of query_block and columns are whole vectors, functions of the
/// position alone: sums are the same wherever a sequence's queries begin.
struct QueryBlock {
  int64_t first, seen, begin, used;
  QueryBlock(int64_t first, const AttentionArgs& a) : first(first) {
    const int64_t number = first / query_block, end = (number + 1) * query_block;
    seen = end < a.length ? end : a.length;
    begin = window_start(number * query_block, a.window) / 16 * 16;
    used = columns(seen);
  }
  int64_t rows() const { return seen - first; }
};

/// Scores to capped and scaled ones, in place.
void cap(float* scores, int64_t begin, int64_t end, float scale, float softcap) {
  for (int64_t j = begin; j < end; j += lanes) {
    store(scores + j, softcap * tanh(load(scores + j) * (scale / softcap)));
  }
}

/// Turns a row of q·k (in p) and of dout·v (in ds) into probabilities and score gradients under a
/// soft-cap.
void capped_row(const AttentionArgs& a, float lse, float delta, float* p, float* ds, int64_t begin,
                int64_t from, int64_t to, int64_t used) {
  cap(p, begin, used, a.scale, a.softcap);
  for (int64_t j = begin; j < used; j += lanes) {
    const Vec t = load(p + j) / a.softcap;
    store(ds + j, (load(ds + j) - delta) * (1.0f - t * t) * a.scale);
  }
  hide(p, begin, from, to, used);
  for (int64_t j = begin; j < used; j += lanes) {
    const Vec probability = exp(load(p + j) - lse);
    store(p + j, probability);
    store(ds + j, probability * load(ds + j));
  }
}

}  // namespace

void attention(const AttentionArgs& a) {
  const int64_t row = long_row(a.length), width = round_up(a.d, 16);
  float* keys_T = a.scratch;                           // [d, row]
  float* values = keys_T + a.d * row;                  // [length, width]
  float* scores = values + a.length * width;           // [query_block, row]
  float* out = scores + query_block * row;             // [query_block, width]
  const float scale = a.softcap > 0 ? 1.0f : a.scale;  // factor of the numbers in `scores`
  transpose_rows(a.k, a.k_row, a.length, a.d, keys_T, row);
  copy_rows(a.v, a.v_row, a.length, a.d, values, width);
  for (int64_t h = 0; h < a.group; ++h) {
    for (int64_t first = a.skipped; first < a.length;) {
      const QueryBlock block(first, a);
      const int64_t rows = block.rows(), seen = block.seen, begin = block.begin, used = block.used;
      const int64_t query = first - a.skipped;
      small_product({.a = a.q + query * a.q_row + h * a.q_head,
                     .a_row = a.q_row,
                     .a_col = 1,
                     .b = keys_T + begin,
                     .b_row = row,
                     .c = scores + begin,
                     .c_row = row,
                     .M = rows,
                     .K = a.d,
                     .E = used - begin,
                     .accumulate = false});
      float total[query_block];
      for (int64_t r = 0; r < rows; ++r) {
        float* s = scores + r * row;
        if (a.softcap > 0) cap(s, begin, used, a.scale, a.softcap);
        hide(s, begin, window_start(first + r, a.window), first + r + 1, used);
        Vec top = load(s + begin);
        for (int64_t j = begin + lanes; j < used; j += lanes) top = max(top, load(s + j));
        const float sink = a.sinks ? a.sinks[h] / scale : -__builtin_inff();
        const float visible = max_lane(top), largest = sink > visible ? sink : visible;
        Vec mass = splat(0.0f);
        for (int64_t j = begin; j < used; j += lanes) {
          const Vec p = exp((load(s + j) - largest) * scale);
          store(s + j, p);
          mass += p;
        }
        total[r] = sum(mass);
        if (a.sinks) total[r] += exp(splat((sink - largest) * scale))[0];
        a.lse[(query + r) * a.lse_row + h] = largest * scale + __builtin_logf(total[r]);
      }
      small_product({.a = scores + begin,
                     .a_row = row,
                     .a_col = 1,
                     .b = values + begin * width,
                     .b_row = width,
                     .c = out,
                     .c_row = width,
                     .M = rows,
                     .K = seen - begin,
                     .E = columns(a.d),
                     .accumulate = false});
      for (int64_t r = 0; r < rows; ++r) {
        const float inverse = 1.0f / total[r];
        float* to = a.out + (query + r) * a.out_row + h * a.out_head;
        for (int64_t i = 0; i < a.d; ++i) to[i] = out[r * width + i] * inverse;
      }
      first = seen;
    }
  }
}

// With P the softmax, dP = dO·Vᵀ, δ = Σ dO·O per row: dS = P·(dP − δ)·scale, dQ = dS·K,
// dK = dSᵀ·Q, dV = Pᵀ·dO (Dao et al., arXiv 2205.14135, appendix B). A soft-cap multiplies dS by
// its slope 1 − tanh². A sink is only part of the lse here; its own gradient is the caller's.
void attention_grad(const AttentionGradArgs& g) {
  const AttentionArgs& a = g.forward;
  const int64_t row = long_row(a.length), width = round_up(a.d, 16);
  float* keys_T = a.scratch;                  // [d, row]
  float* values_T = keys_T + a.d * row;       // [d, row]
  float* keys = values_T + a.d * row;         // [length, width]
  float* dkeys = keys + a.length * width;     // [length, width]
  float* dvalues = dkeys + a.length * width;  // [length, width]
  float* p = dvalues + a.length * width;      // [query_block, row]
  float* ds = p + query_block * row;          // [query_block, row]
  float* queries = ds + query_block * row;    // [query_block, width]
  float* dout = queries + query_block * width;
  float* dq = dout + query_block * width;
  transpose_rows(a.k, a.k_row, a.length, a.d, keys_T, row);
  transpose_rows(a.v, a.v_row, a.length, a.d, values_T, row);
  copy_rows(a.k, a.k_row, a.length, a.d, keys, width);
  for (int64_t i = 0; i < 2 * a.length * width; ++i) dkeys[i] = 0;
  const int64_t across = columns(a.d);
  for (int64_t h = 0; h < a.group; ++h) {
    for (int64_t first = a.skipped; first < a.length;) {
      const QueryBlock block(first, a);
      const int64_t rows = block.rows(), seen = block.seen, begin = block.begin, used = block.used;
      const int64_t query = first - a.skipped;
      copy_rows(a.q + query * a.q_row + h * a.q_head, a.q_row, rows, a.d, queries, width);
      copy_rows(g.dout + query * g.dout_row + h * g.dout_head, g.dout_row, rows, a.d, dout, width);
      const ProductArgs against_keys = {.a = queries,
                                        .a_row = width,
                                        .a_col = 1,
                                        .b = keys_T + begin,
                                        .b_row = row,
                                        .c = p + begin,
                                        .c_row = row,
                                        .M = rows,
                                        .K = a.d,
                                        .E = used - begin,
                                        .accumulate = false};
      ProductArgs against_values = against_keys;
      against_values.a = dout;
      against_values.b = values_T + begin;
      against_values.c = ds + begin;
      small_product(against_keys);
      small_product(against_values);
      for (int64_t r = 0; r < rows; ++r) {
        const float* o = a.out + (query + r) * a.out_row + h * a.out_head;
        float delta = 0;
        for (int64_t i = 0; i < a.d; ++i) delta += dout[r * width + i] * o[i];
        const float lse = a.lse[(query + r) * a.lse_row + h];
        const int64_t from = window_start(first + r, a.window), to = first + r + 1;
        if (a.softcap > 0) {
          capped_row(a, lse, delta, p + r * row, ds + r * row, begin, from, to, used);
          continue;
        }
        hide(p + r * row, begin, from, to, used);
        for (int64_t j = begin; j < used; j += lanes) {
          const Vec probability = exp(load(p + r * row + j) * a.scale - lse);
          store(p + r * row + j, probability);
          store(ds + r * row + j, probability * (load(ds + r * row + j) - delta) * a.scale);
        }
      }
      small_product({.a = ds + begin,
                     .a_row = row,
                     .a_col = 1,
                     .b = keys + begin * width,
                     .b_row = width,
                     .c = dq,
                     .c_row = width,
                     .M = rows,
                     .K = seen - begin,
                     .E = across,
                     .accumulate = false});
      const ProductArgs to_keys = {.a = ds + begin,
                                   .a_row = 1,
                                   .a_col = row,
                                   .b = queries,
                                   .b_row = width,
                                   .c = dkeys + begin * width,
                                   .c_row = width,
                                   .M = seen - begin,
                                   .K = rows,
                                   .E = across,
                                   .accumulate = true};
      ProductArgs to_values = to_keys;
      to_values.a = p + begin;
      to_values.b = dout;
      to_values.c = dvalues + begin * width;
      small_product(to_keys);
      small_product(to_values);
      for (int64_t r = 0; r < rows; ++r) {
        float* to = g.dq + (query + r) * a.out_row + h * a.out_head;
        for (int64_t i = 0; i < a.d; ++i) to[i] = dq[r * width + i];
      }
      first = seen;
    }
  }
  for (int64_t n = 0; n < a.length; ++n) {
    for (int64_t i = 0; i < a.d; ++i) g.dk[n * g.dk_row + i] = dkeys[n * width + i];
    for (int64_t i = 0; i < a.d; ++i) g.dv[n * g.dk_row + i] = dvalues[n * width + i];
  }
}

// Softmax over chunks of the cache with a running maximum: no scratch that grows with the length,
// and chunk borders depend on the position only, so a batch gives the bits of its members alone.
namespace {

/// Entries [first, first + count) as float32.
const float* entries(const CachedAttentionArgs& a, const void* rows, int64_t first, int64_t count) {
  const int64_t begin = first * a.d, n = count * a.d;
  if (a.scratch == nullptr) return static_cast<const float*>(rows) + begin;
  const auto* from = static_cast<const uint8_t*>(rows) + 2 * begin;
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) store(a.scratch + i, bfloats(from + 2 * i));
  if (i < n) store_some(a.scratch + i, some<Bfloat16>(from + 2 * i, n - i), n - i);
  return a.scratch;
}

}  // namespace

void cached_attention(const CachedAttentionArgs& a) {
  constexpr int64_t heads = 8, chunk = cached_chunk;
  float scores[heads * chunk];
  const float scale = a.softcap > 0 ? 1.0f : a.scale;
  const int64_t begin = window_start(a.length - 1, a.window);
  for (int64_t h = 0; h < a.group; h += heads) {
    const int64_t n = a.group - h < heads ? a.group - h : heads;
    float* out = a.out + h * a.d;
    float largest[heads], mass[heads];
    for (int64_t r = 0; r < n; ++r) {
      largest[r] = a.sinks ? a.sinks[h + r] / scale : -__builtin_inff();
      mass[r] = a.sinks ? 1.0f : 0.0f;
    }
    for (int64_t i = 0; i < n * a.d; ++i) out[i] = 0;
    for (int64_t first = begin; first < a.length; first += chunk) {
      const int64_t count = a.length - first < chunk ? a.length - first : chunk;
      product_transposed({.a = a.q + h * a.d,
                          .a_row = a.d,
                          .a_col = 1,
                          .b = entries(a, a.k, first, count),
                          .b_row = a.d,
                          .c = scores,
                          .c_row = chunk,
                          .M = n,
                          .K = a.d,
                          .E = count,
                          .accumulate = false});
      for (int64_t r = 0; r < n; ++r) {
        float* s = scores + r * chunk;
        if (a.softcap > 0) cap(s, 0, columns(count), a.scale, a.softcap);
        hide(s, 0, 0, count, columns(count));
        Vec top = load(s);
        for (int64_t j = lanes; j < count; j += lanes) top = max(top, load(s + j));
        const float now = max_lane(top);
        const float reference = now > largest[r] ? now : largest[r];
        Vec added = splat(0.0f);
        for (int64_t j = 0; j < count; j += lanes) {
          const Vec p = exp((load(s + j) - reference) * scale);
          store(s + j, p);
          added += p;
        }
        const float fade = exp(splat((largest[r] - reference) * scale))[0];  // 0 from −∞
        mass[r] = mass[r] * fade + sum(added);
        largest[r] = reference;
        for (int64_t i = 0; i < a.d; ++i) out[r * a.d + i] *= fade;
      }
      small_product({.a = scores,
                     .a_row = chunk,
                     .a_col = 1,
                     .b = entries(a, a.v, first, count),
                     .b_row = a.d,
                     .c = out,
                     .c_row = a.d,
                     .M = n,
                     .K = count,
                     .E = a.d,
                     .accumulate = true});
    }
    for (int64_t r = 0; r < n; ++r) {
      for (int64_t i = 0; i < a.d; ++i) out[r * a.d + i] *= 1.0f / mass[r];
    }
  }
}

}  // namespace alambic::kernels::ALAMBIC_ISA
