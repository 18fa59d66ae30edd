// FlashAttention-2 of packed sequences as libtorch 2.11 has it for CUDA (flash_attn/flash_api.cpp),
// by its definition in scalar loops: what it refuses, float32 sums, results rounded once; with
// grouped queries the gradients of keys and values twice, per head and as sums of heads.
#include <torch/library.h>

#include <cmath>
#include <limits>

#include "tests/device/simulated_device.h"
#include "tests/device/simulated_streams.h"

namespace alambic::simulated {

namespace {

using at::Tensor;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

/// A call's queries, keys and values as float32, and who sees whom.
struct FlashInputs {
  Tensor q, k, v;  // [M, H, d], [N, K, d]
  Tensor cu_q, cu_k;
  float scale = 1;
  int64_t left = -1, right = -1;

  int64_t H = q.size(1), K = k.size(1), d = q.size(2), group = H / K;
  int64_t sequences = cu_q.numel() - 1;

  static int64_t place(const Tensor& offsets, int64_t s) {
    return offsets.const_data_ptr<int32_t>()[s];
  }
  const float* query(int64_t m, int64_t h) const { return row(q, m, h); }
  const float* key(int64_t n, int64_t h) const { return row(k, n, h / group); }
  const float* value(int64_t n, int64_t h) const { return row(v, n, h / group); }
  float* row(const Tensor& x, int64_t n, int64_t h) const {
    return const_cast<float*>(x.const_data_ptr<float>()) + (n * x.size(1) + h) * d;
  }
  float product(const float* a, const float* b) const {
    float sum = 0;
    for (int64_t i = 0; i < d; ++i) sum += a[i] * b[i];
    return sum;
  }

  /// f(row of the query, head, first key, key behind the last) for each; the last query of a
  /// sequence is at its last key.
  template <class F>
  void each_query(const F& f) const {
    for (int64_t s = 0; s < sequences; ++s) {
      const int64_t queries = place(cu_q, s + 1) - place(cu_q, s), first = place(cu_k, s);
      const int64_t keys = place(cu_k, s + 1) - first;
      for (int64_t i = 0; i < queries; ++i) {
        const int64_t own = i + keys - queries;
        const int64_t begin = left < 0 ? 0 : std::max<int64_t>(0, own - left);
        const int64_t end = right < 0 ? keys : std::min(keys, own + right + 1);
        for (int64_t h = 0; h < H; ++h) f(place(cu_q, s) + i, h, first + begin, first + end);
      }
    }
  }
};

bool is_narrow(const Tensor& x) {
  return x.scalar_type() == at::kHalf || x.scalar_type() == at::kBFloat16;
}

void check_offsets(const Tensor& offsets, const char* name) {
  TORCH_CHECK(offsets.scalar_type() == at::kInt, name, " must have dtype int32");
  TORCH_CHECK(offsets.device().type() == kType, name, " must be on the device");
  TORCH_CHECK(offsets.is_contiguous(), name, " must be contiguous");
}

void check_rows(const Tensor& x, at::ScalarType type, const char* name) {
  TORCH_CHECK(x.scalar_type() == type, "query and ", name, " must have the same dtype");
  TORCH_CHECK(x.device().type() == kType, name, " must be on the device");
  TORCH_CHECK(x.dim() == 3 && x.stride(2) == 1,
              "Input tensor must have contiguous last dimension: ", name);
  // No check of CUDA's: its kernel reads 16 bytes at a time and dies of an address between them.
  TORCH_CHECK(x.stride(0) % 8 == 0 && x.stride(1) % 8 == 0 &&
                  reinterpret_cast<uintptr_t>(x.const_data_ptr()) % 16 == 0,
              "misaligned address: ", name);
}

Tensor in_float(const Tensor& x) { return host_view(x).to(at::kFloat).contiguous(); }

FlashInputs inputs_of(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& cu_q,
                      const Tensor& cu_k, int64_t max_q, int64_t max_k, double dropout, bool causal,
                      std::optional<double> scale, std::optional<int64_t> left,
                      std::optional<int64_t> right) {
  TORCH_CHECK(is_narrow(q), "FlashAttention only support fp16 and bf16 data type");
  check_rows(q, q.scalar_type(), "query");
  check_rows(k, q.scalar_type(), "key");
  check_rows(v, q.scalar_type(), "value");
  check_offsets(cu_q, "cu_seqlens_q");
  check_offsets(cu_k, "cu_seqlens_k");
  const int64_t d = q.size(2);
  TORCH_CHECK(cu_q.numel() > 1, "batch size must be positive");
  TORCH_CHECK(cu_q.numel() == cu_k.numel(), "cu_seqlens_k must have shape (batch_size + 1)");
  TORCH_CHECK(d <= 256, "FlashAttention forward only supports head dimension at most 256");
  TORCH_CHECK(d % 8 == 0, "head_size must be a multiple of 8, this is ensured by padding!");
  TORCH_CHECK(q.size(1) % k.size(1) == 0,
              "Number of heads in key/value must divide number of heads in query");
  TORCH_CHECK(k.size(2) == d && v.sizes() == k.sizes(), "k and v must have shape (total_k, …, d)");
  TORCH_CHECK(dropout == 0, "dropout is not simulated");
  const FlashInputs packed = {.q = in_float(q),
                              .k = in_float(k),
                              .v = in_float(v),
                              .cu_q = host_view(cu_q),
                              .cu_k = host_view(cu_k),
                              .scale = static_cast<float>(scale.value_or(1 / std::sqrt(d))),
                              .left = left.value_or(-1),
                              .right = causal ? 0 : right.value_or(-1)};
  // A card would read and write behind the last row, and not compute what lies behind max_q.
  TORCH_CHECK(FlashInputs::place(packed.cu_q, packed.sequences) == q.size(0) &&
                  FlashInputs::place(packed.cu_k, packed.sequences) == k.size(0),
              "cu_seqlens do not end with the rows");
  for (int64_t s = 0; s < packed.sequences; ++s) {
    TORCH_CHECK(
        FlashInputs::place(packed.cu_q, s + 1) - FlashInputs::place(packed.cu_q, s) <= max_q &&
            FlashInputs::place(packed.cu_k, s + 1) - FlashInputs::place(packed.cu_k, s) <= max_k,
        "sequence ", s, " is longer than max_q or max_k");
  }
  return packed;
}

using Attended = std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor>;

Attended flash_forward(const Tensor& q, const Tensor& k, const Tensor& v,
                       const std::optional<Tensor>& cu_q, const std::optional<Tensor>& cu_k,
                       int64_t max_q, int64_t max_k, double dropout, bool causal, bool /*debug*/,
                       std::optional<double> scale, std::optional<int64_t> left,
                       std::optional<int64_t> right, const std::optional<Tensor>& used_k,
                       const std::optional<Tensor>& slopes) {
  TORCH_CHECK(cu_q && cu_k && !used_k && !slopes, "only packed sequences are simulated");
  count_operator("aten::_flash_attention_forward");
  wait_for(current_stream());
  const FlashInputs in =
      inputs_of(q, k, v, *cu_q, *cu_k, max_q, max_k, dropout, causal, scale, left, right);
  const Tensor out = at::zeros_like(in.q), lse = at::full({in.H, in.q.size(0)}, kInfinity);
  std::vector<float> weights;
  in.each_query([&](int64_t m, int64_t h, int64_t begin, int64_t end) {
    weights.clear();
    float most = -kInfinity, sum = 0;
    for (int64_t n = begin; n < end; ++n) {
      weights.push_back(in.product(in.query(m, h), in.key(n, h)) * in.scale);
      most = std::max(most, weights.back());
    }
    for (float& weight : weights) sum += weight = std::exp(weight - most);
    float* y = in.row(out, m, h);
    for (int64_t n = begin; n < end; ++n) {
      for (int64_t i = 0; i < in.d; ++i) y[i] += weights[n - begin] / sum * in.value(n, h)[i];
    }
    if (end > begin) lse.mutable_data_ptr<float>()[h * in.q.size(0) + m] = most + std::log(sum);
  });
  const Tensor none = at::empty({0}, q.options());
  return {result_of(out.to(q.scalar_type())), result_of(lse), none, none, none};
}

std::tuple<Tensor, Tensor, Tensor> flash_backward(
    const Tensor& dout, const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& out,
    const Tensor& lse, const Tensor& cu_q, const Tensor& cu_k, int64_t max_q, int64_t max_k,
    double dropout, bool causal, const Tensor& /*state*/, const Tensor& /*unused*/,
    std::optional<double> scale, std::optional<int64_t> left, std::optional<int64_t> right) {
  count_operator("aten::_flash_attention_backward");
  wait_for(current_stream());
  check_rows(dout.contiguous(), q.scalar_type(), "dout");
  check_rows(out, q.scalar_type(), "out");
  TORCH_CHECK(lse.scalar_type() == at::kFloat && lse.is_contiguous(), "softmax_lse");
  const FlashInputs in =
      inputs_of(q, k, v, cu_q, cu_k, max_q, max_k, dropout, causal, scale, left, right);
  const Tensor wide_dout = in_float(dout), wide_out = in_float(out), wide_lse = in_float(lse);
  const Tensor dq = at::zeros_like(in.q);
  const Tensor dk = at::zeros({k.size(0), in.H, in.d}), dv = at::zeros_like(dk);  // of each head
  in.each_query([&](int64_t m, int64_t h, int64_t begin, int64_t end) {
    const float* dy = in.row(wide_dout, m, h);
    const float delta = in.product(dy, in.row(wide_out, m, h));
    const float whole = wide_lse.const_data_ptr<float>()[h * in.q.size(0) + m];
    for (int64_t n = begin; n < end; ++n) {
      const float score = in.product(in.query(m, h), in.key(n, h)) * in.scale;
      const float weight = std::exp(score - whole);
      const float slope = weight * (in.product(dy, in.value(n, h)) - delta) * in.scale;
      for (int64_t i = 0; i < in.d; ++i) {
        in.row(dq, m, h)[i] += slope * in.key(n, h)[i];
        in.row(dk, n, h)[i] += slope * in.query(m, h)[i];
        in.row(dv, n, h)[i] += weight * dy[i];
      }
    }
  });
  const auto rounded = [&](const Tensor& x) { return x.to(q.scalar_type()); };
  const auto of_heads = [&](const Tensor& x) {
    return rounded(rounded(x).to(at::kFloat).unflatten(1, {in.K, in.group}).sum(2));
  };
  return {result_of(rounded(dq)), result_of(of_heads(dk)), result_of(of_heads(dv))};
}

TORCH_LIBRARY_IMPL(aten, PrivateUse1, m) {
  m.impl("_flash_attention_forward", flash_forward);
  m.impl("_flash_attention_backward", flash_backward);
}

}  // namespace

}  // namespace alambic::simulated
