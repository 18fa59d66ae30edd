// The kernels of an accelerator, on raw pointers to its memory: what cpu_table.h is for a CPU.
// Filled by libalambic_cuda.so (nvcc), or by the same sources built by g++ (kernels/cuda/simt.h)
// for tests and the simulated device. Every function enqueues on `stream` and returns; none reads
// memory of the device on the host, allocates, or waits. The order of each sum depends on the sizes
// of its row only: the same bits at every batch size. A function throws std::runtime_error when the
// device refuses to start a kernel.
#pragma once

#include <cstdint>

namespace alambic::kernels {

/// Dtype of numbers that device kernels read and write; they compute in float32.
enum class DeviceNumber : uint8_t { f32, bf16 };

/// y = (weight + shift) · (s / sqrt(mean(s²) + epsilon)), s = x + residual in their type. The
/// quotient is rounded to it before the product, but where the product is `wide` or the weight is
/// of another type (kernels/norm.h).
struct DeviceNorm {
  const void* x;         ///< [N, D], rows dense
  const void* residual;  ///< [N, D] or null
  void* sum;             ///< s, [N, D]; null without a residual
  const void* weight;    ///< [D]
  void* y;               ///< [N, D]
  float* inverse;        ///< 1 / root of each row, [N], or null
  int64_t N, D;
  float epsilon, shift;
  bool wide;
  DeviceNumber type, weight_type;
};

/// Gradients of it, in the types of what they belong to.
struct DeviceNormGrad {
  const void *s, *weight, *dy;
  const float* inverse;
  const void* ds;  ///< what comes to s from elsewhere (its own use as the residual), or null
  void* dx;        ///< [N, D], of x and of the residual alike; or null
  float* parts;    ///< norm_grad_parts(N) · D numbers of scratch; null: no dweight
  void* dweight;   ///< [D] or null
  int64_t N, D;
  float shift;
  DeviceNumber type, weight_type;
};

/// Rows that one part of a dweight sums.
inline constexpr int64_t norm_grad_rows = 64;
inline constexpr int64_t norm_grad_parts(int64_t N) {
  return (N + norm_grad_rows - 1) / norm_grad_rows;
}

/// A cache in pages: entry e of sequence b lies at page table[b · table_row + e / page], row
/// e % page. One page to a slot, as long as the slot, is a cache of slots.
struct DevicePages {
  const int64_t* table;
  int64_t table_row, page;
};

/// RMS norm of each head alone, as DeviceNorm's; without a weight there is none.
struct DeviceHeadNorm {
  const void* weight;  ///< [d] or null
  DeviceNumber weight_type;
  float epsilon, shift;
  bool wide;
};

/// Heads that are normed, turned (kernels/rope.h), and written to a cache, each where it is asked.
struct DeviceHeads {
  const void* x;  ///< [N, H, d], d dense
  int64_t x_row, x_head;
  DeviceHeadNorm norm;
  const float *cos, *sin;  ///< [N, turned / 2]; null: not turned (values on their way to the cache)
  int64_t turned;          ///< numbers at the front of each head that turn; the others stay
  float direction;         ///< 1; −1 turns back
  void* y;                 ///< [N, H, d] dense, or null
  void* cache;             ///< [pages, H, page, d], or null
  int64_t cache_page, cache_head, cache_entry;  ///< distances in numbers
  DevicePages pages;
  const int64_t* places;  ///< [N]: of each row, its entry; row n is that of row n of the table
  int64_t N, H, d;
};

/// Queries, keys and values in one launch.
struct DeviceHeadParts {
  DeviceHeads part[3];
  int count;
  DeviceNumber type;  ///< of all heads
};

enum class DeviceGate : uint8_t { silu, gelu_tanh };

/// y = gate(g) · up, or gate(g) where `up` is null; of the backward pass dy → dgate, dup. [N, F];
/// all but gate and up are dense.
struct DeviceGated {
  const void *gate, *up;
  int64_t gate_row, up_row;  ///< distances of rows
  void* y;
  const void* dy;
  void *dgate, *dup;
  int64_t N, F;
  DeviceGate kind;
  DeviceNumber type;
};

/// Attention of one query per sequence over its cache (kernels/attention.h: cached_attention).
/// Values may be narrower than keys and may be read out of them (MLA's latent: width 576 of which
/// the first 512 are the value).
struct DeviceDecode {
  const void* q;  ///< [B, H, d], d dense
  int64_t q_row, q_head;
  const void *keys, *values;                    ///< [pages, K, page, ·]
  int64_t key_page, key_head, key_entry;        ///< distances in numbers
  int64_t value_page, value_head, value_entry;  ///< distances in numbers
  DevicePages pages;
  const int64_t* places;   ///< [B]: the query's own entry, the last that it sees; −1 gives zeros
  int64_t B, H, K, d, dv;  ///< d, dv ≤ decode_widest
  int64_t longest;         ///< no query sees more entries: the grid's size
  float scale;
  int64_t window;      ///< 0: no limit
  float softcap;       ///< 0: none
  const float* sinks;  ///< [H] or null
  void* out;           ///< [B, H, dv] dense
  float* lse;          ///< [B, H]: log Σ exp of the scores and the sink, or null
  float* scratch;      ///< decode_scratch(*this) numbers
  DeviceNumber type;
};

inline constexpr int64_t decode_widest = 640;
/// Entries of a part: parts are the same whatever else is in the batch.
inline constexpr int64_t decode_part = 256;
inline constexpr int64_t decode_parts(int64_t longest) {
  return (longest + decode_part - 1) / decode_part;
}
inline constexpr int64_t decode_scratch(const DeviceDecode& job) {
  return job.B * job.H * decode_parts(job.longest) * (job.dv + 2);
}

/// A draw for each row of logits as rollout/sample.h has it: the coin is that of (seed, step, id,
/// position) in the stream of sampling. Weights are whole numbers of 2⁻⁴⁴, so that their sums are
/// exact: a coin within about 1e-7 of a border may fall on the other side than on the CPU.
struct DeviceSample {
  const float* logits;  ///< [B, V]
  int64_t row;          ///< distance of rows
  int64_t B, V;
  double temperature;   ///< 0: greedy
  int64_t top_k;        ///< 0: all
  double top_p;         ///< 1: all
  double min_p;         ///< 0: all
  const double* coins;  ///< [B]; null: those of seed, step, ids and places
  uint64_t seed, step;
  const int64_t* id;  ///< [B]
  int64_t* place;     ///< [B]: position of the token before the drawn one
  bool advance;       ///< adds 1 to each place
  int64_t* token;     ///< [B]; 0 where a logit of the row is not finite
  double* drawn;  ///< [2, B]: tokens, and the logarithms of their probabilities among all at the
                  ///< temperature; NaN where a logit of the row is not finite
};

/// AdamW with float32 masters and moments (torch's _fused_adamw_), and the weights rounded from
/// them, of some tensors in one launch.
struct DeviceAdamWTensor {
  float *master, *mean, *square;
  const void* gradient;  ///< null: zeros
  void* weight;          ///< null: the master is the weight
  int64_t n;
  float kept;  ///< of the master: 1 − learning rate · weight decay
  DeviceNumber gradient_type, weight_type;
};
inline constexpr int most_device_tensors = 32;
struct DeviceAdamW {
  DeviceAdamWTensor tensor[most_device_tensors];
  int count;
  float factor;        ///< of the gradients
  const float* scale;  ///< one number, on the device: another factor; null: 1
  /// From float64 on the host: of a float32 beta2, 0.999, what is left of 1 is 1.3e-5 beside its
  /// own.
  float beta2, rest1, rest2;  ///< rest: 1 − beta
  float step_size;            ///< learning rate / (1 − beta1^step)
  float root_correction;      ///< √(1 − beta2^step)
  float epsilon;
};
/// Numbers of a tensor that one block steps.
inline constexpr int64_t adamw_part = 1 << 14;
inline constexpr int64_t adamw_parts(int64_t n) { return (n + adamw_part - 1) / adamw_part; }

/// Σ g² of some tensors, in parts of a fixed size, float64: those of one behind those of the other.
struct DeviceGradient {
  const void* numbers;
  int64_t n;
  DeviceNumber type;
};
struct DeviceSquares {
  DeviceGradient gradient[most_device_tensors];
  int count;
  double* parts;  ///< squares_parts(n) of each
};
inline constexpr int64_t squares_part = 1 << 16;
inline constexpr int64_t squares_parts(int64_t n) { return (n + squares_part - 1) / squares_part; }

/// norm = √Σ parts, and the factor that brings it down to `most` (0: 1); a norm that is not finite
/// gives the factor 0.
struct DeviceClip {
  const double* parts;
  int64_t count;
  double most;
  double* norm;
  float* scale;
};

/// Formats of packed weights that the device decodes: DeepSeek's tiles and ggml's blocks.
enum class DevicePacked : uint8_t {
  fp8_tiles,
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

/// Packed rows [R, C], the ones from `first` on of the matrix at `bytes`. fp8_tiles: E4M3 bytes,
/// with scales of the matrix's tiles, row by row, ceil(C / tile_columns) to a row of tiles.
struct DevicePackedRows {
  const uint8_t* bytes;
  int64_t row_bytes;
  const float* scales;
  int64_t tile_rows, tile_columns;
  DevicePacked format;
  int64_t first, R, C;
};

/// The numbers of the rows, or with `ids` of rows ids[0 … count] of them, [count, C] dense: float32
/// bit for bit as io/quant decodes them, or rounded from those.
struct DeviceUnpack {
  DevicePackedRows rows;
  const int64_t* ids;
  int64_t count;
  void* y;
  DeviceNumber type;
};

/// y[N, R] = x[N, C] · rowsᵀ (+ bias), decoded on the way once for packed_few_rows rows of x,
/// summed in float32. With `ends` the rows are those of `matrices` matrices of as many rows, which
/// are R of y, and rows ends[m − 1] … ends[m] of x are multiplied by the m-th alone.
struct DevicePackedFew {
  DevicePackedRows rows;
  const int32_t* ends;  ///< [matrices] or null
  int64_t matrices;     ///< 1 without `ends`
  const void* x;
  int64_t x_row;
  const void* bias;  ///< of every row, or null
  void* y;
  int64_t y_row, N;
  DeviceNumber type;
};
inline constexpr int64_t packed_few_rows = 8;

/// The (token, expert) pairs of a mixture in the order of experts, stable; nothing is read on the
/// host. Pair n · k + i is token n's i-th expert.
struct DeviceRoute {
  const int64_t* experts;  ///< [N · k]
  int64_t pairs, E;        ///< E ≤ most_experts
  int32_t* counts;         ///< [E]
  int32_t* ends;           ///< [E]: where each expert's pairs end, what grouped products take
  int32_t* order;          ///< [pairs]: the pair at each place
  int32_t* place;          ///< [pairs]: the place of each pair
  int32_t* scratch;        ///< route_scratch(pairs, E) numbers
};
inline constexpr int64_t most_experts = 1024, route_block = 256;
inline constexpr int64_t route_scratch(int64_t pairs, int64_t E) {
  return (pairs + route_block - 1) / route_block * E;
}

/// Rows of tokens at the places of their pairs and back. gather: to[p] = from[order[p] / k].
/// combine: to[n] = base[n] + Σ_i weight[n · k + i] · from[place[n · k + i]], i in order, float32.
/// combine_grad: dfrom[place[j]] = weight[j] · dto[j / k], dweight[j] = ⟨dto[j / k],
/// from[place[j]]⟩.
struct DeviceMoe {
  const void* from;
  const int32_t *order, *place;
  const float* weight;  ///< [N · k]; null: 1
  const void* base;     ///< [N, D] or null
  void* to;
  const void* dto;
  void* dfrom;
  float* dweight;
  int64_t N, k, D;
  DeviceNumber type;
};

/// y = x · mask, the mask of nn/lora.cpp: element i is word i % 4 of philox({i / 4, w2, w3}, {w0,
/// w1}), 0 below `least`, else `kept`.
struct DeviceDropout {
  const void* x;
  void* y;
  int64_t n;
  uint32_t words[4];
  uint64_t least;
  float kept;
  DeviceNumber type;
};

/// All kernels, of the structs of one build: `layout` is that of another where they differ.
struct DeviceTable {
  uint64_t layout;   ///< device_layout
  const char* name;  ///< "cuda" or "simt"
  /// Null when this device can run the kernels, else why not.
  const char* (*fault)(int device);
  void (*rms_norm)(const DeviceNorm&, void* stream);
  void (*rms_norm_grad)(const DeviceNormGrad&, void* stream);
  void (*heads)(const DeviceHeadParts&, void* stream);
  void (*gated)(const DeviceGated&, void* stream);
  void (*gated_grad)(const DeviceGated&, void* stream);
  void (*decode)(const DeviceDecode&, void* stream);
  void (*sample)(const DeviceSample&, void* stream);
  void (*adamw)(const DeviceAdamW&, void* stream);
  void (*squares)(const DeviceSquares&, void* stream);
  void (*clip)(const DeviceClip&, void* stream);
  void (*unpack)(const DeviceUnpack&, void* stream);
  void (*packed_few)(const DevicePackedFew&, void* stream);
  void (*route)(const DeviceRoute&, void* stream);
  void (*moe_gather)(const DeviceMoe&, void* stream);
  void (*moe_combine)(const DeviceMoe&, void* stream);
  void (*moe_combine_grad)(const DeviceMoe&, void* stream);
  void (*dropout)(const DeviceDropout&, void* stream);
  const void* rows;  ///< DeviceRows (objective/device_rows.h)
};

/// Number of some structs: another where one comes, goes or changes its size, and by `version`
/// where a field changes its meaning.
template <class... Structs>
constexpr uint64_t layout_of(uint64_t version) {
  ((version = version * 1099511628211u + sizeof(Structs)), ...);
  return version;
}
inline constexpr uint64_t device_layout =
    layout_of<DeviceTable, DeviceNorm, DeviceNormGrad, DeviceHeadParts, DeviceGated, DeviceDecode,
              DeviceSample, DeviceAdamW, DeviceSquares, DeviceClip, DeviceUnpack, DevicePackedFew,
              DeviceRoute, DeviceMoe, DeviceDropout>(2);

/// Function by which a library shows its kernels: const DeviceTable*().
inline constexpr const char* device_table_function = "alambic_device_table";

}  // namespace alambic::kernels
