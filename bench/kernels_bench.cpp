// Our kernels beside the plain libtorch expression, interleaved in one run, fastest of each: on a
// shared machine only a ratio within one run means something (docs/LOG.md has dated results).
//   OMP_NUM_THREADS=1 taskset -c 1 build/release/bench/kernels_bench [--benchmark_filter=…]
#include <benchmark/benchmark.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>
#include <string>

#include "alambic/kernels/activation.h"
#include "alambic/kernels/attention.h"
#include "alambic/kernels/cpu.h"
#include "alambic/kernels/linear.h"
#include "alambic/kernels/norm.h"
#include "alambic/kernels/rope.h"
#include "alambic/tensor/tensor.h"
#include "bench/compare.h"

namespace {

using alambic::Tensor;
using alambic::bench::compare;
namespace kernels = alambic::kernels;

Tensor noise(at::IntArrayRef sizes) { return at::randn(sizes); }

/// Enough copies of a weight that none stays in the caches, for the layers of a large model.
std::vector<Tensor> copies(at::IntArrayRef sizes, bool cold) {
  const Tensor weight = noise(sizes);
  std::vector<Tensor> all = {weight};
  while (cold && static_cast<double>(all.size()) * weight.numel() * 4 < 150e6) {
    all.push_back(weight.clone());
  }
  return all;
}

void linears() {
  struct Shape {
    int64_t D, E;
    bool cold;
  };
  for (const Shape& s : std::vector<Shape>{{288, 288, false},
                                           {288, 768, false},
                                           {768, 288, false},
                                           {288, 32000, false},
                                           {64, 512, false},
                                           {768, 3072, true},
                                           {3072, 768, true},
                                           {512, 50257, true}}) {
    for (int64_t M : {1, 2, 4, 8, 16, 32}) {
      const Tensor x = noise({M, s.D});
      const auto weights = std::make_shared<std::vector<Tensor>>(copies({s.E, s.D}, s.cold));
      const auto turned = std::make_shared<std::vector<Tensor>>(copies({s.D, s.E}, s.cold));
      const auto turn = std::make_shared<size_t>(0);
      const double flops = 2.0 * M * s.D * s.E, bytes = 4.0 * s.D * s.E;
      const std::string shape = std::to_string(s.D) + "x" + std::to_string(s.E) +
                                (s.cold ? " cold" : "") + " M=" + std::to_string(M);
      auto next = [turn](const std::vector<Tensor>& all) { return all[++*turn % all.size()]; };
      compare(
          "linear " + shape, flops, bytes, [=] { kernels::linear(x, next(*weights), Tensor()); },
          [=] { at::linear(x, next(*weights)); });
      compare(
          "linear_input_major " + shape, flops, bytes,
          [=] { kernels::linear_input_major(x, next(*turned), Tensor()); },
          [=] { at::mm(x, next(*turned)); });
    }
  }
}

Tensor plain_norm(const Tensor& x, const Tensor& weight) {
  return weight * (x * (x.square().mean(-1, true) + 1e-5).rsqrt());
}

Tensor plain_rope(const Tensor& x, const Tensor& cos, const Tensor& sin) {
  const int64_t half = x.size(-1) / 2;
  const Tensor low = x.narrow(-1, 0, half), high = x.narrow(-1, half, half);
  const Tensor c = cos.unsqueeze(1), s = sin.unsqueeze(1);
  return at::cat({low * c - high * s, high * c + low * s}, -1);
}

/// Forward without gradients, or forward and backward.
void both(const std::string& name, double bytes, const std::vector<Tensor>& inputs,
          const std::function<Tensor()>& ours, const std::function<Tensor()>& plain) {
  auto forward = [](const std::function<Tensor()>& f) {
    return [f] {
      const at::NoGradGuard guard;
      f();
    };
  };
  auto backward = [inputs](const std::function<Tensor()>& f) {
    return [f, inputs] {
      const Tensor y = f();
      torch::autograd::grad({y}, inputs, {y.detach()});
    };
  };
  compare(name, 0, bytes, forward(ours), forward(plain));
  compare(name + " with gradient", 0, 0, backward(ours), backward(plain));
}

void row_kernels() {
  for (int64_t N : {1, 16, 2048}) {
    const double row = 4.0 * N;
    const Tensor x = noise({N, 288}).requires_grad_(), weight = noise({288}).requires_grad_();
    const std::string rows = " N=" + std::to_string(N);
    both(
        "rms_norm 288" + rows, 2 * 288 * row, {x, weight},
        [=] { return kernels::rms_norm(x, weight, 1e-5); }, [=] { return plain_norm(x, weight); });
    const Tensor heads = noise({N, 6, 48}).requires_grad_();
    const Tensor cos = noise({N, 24}), sin = noise({N, 24});
    both(
        "rope 6x48" + rows, 2 * 288 * row, {heads}, [=] { return kernels::rope(heads, cos, sin); },
        [=] { return plain_rope(heads, cos, sin); });
    const Tensor gate = noise({N, 768}).requires_grad_(), up = noise({N, 768}).requires_grad_();
    both(
        "swiglu 768" + rows, 3 * 768 * row, {gate, up}, [=] { return kernels::swiglu(gate, up); },
        [=] { return at::silu(gate) * up; });
    both(
        "geglu 768" + rows, 3 * 768 * row, {gate, up}, [=] { return kernels::geglu(gate, up); },
        [=] { return at::gelu(gate, "tanh") * up; });
    both(
        "gelu 768" + rows, 2 * 768 * row, {gate}, [=] { return kernels::gelu_tanh(gate); },
        [=] { return at::gelu(gate, "tanh"); });
  }
}

/// The loop over sequences that packed_attention would be without a kernel.
Tensor plain_packed(const Tensor& q, const Tensor& k, const Tensor& v,
                    const std::vector<int64_t>& offsets, double scale) {
  std::vector<Tensor> outputs;
  for (size_t s = 0; s + 1 < offsets.size(); ++s) {
    auto part = [&](const Tensor& x) {
      return x.narrow(0, offsets[s], offsets[s + 1] - offsets[s]).transpose(0, 1).unsqueeze(0);
    };
    outputs.push_back(at::scaled_dot_product_attention(part(q), part(k), part(v), {}, 0.0, true,
                                                       scale, q.size(1) > k.size(1))
                          .squeeze(0)
                          .transpose(0, 1));
  }
  return at::cat(outputs, 0);
}

/// One batched call, for sequences of one length: the best that libtorch can do.
Tensor batched(const Tensor& q, const Tensor& k, const Tensor& v, int64_t S, double scale) {
  auto part = [&](const Tensor& x) {
    return x.view({S, x.size(0) / S, x.size(1), x.size(2)}).transpose(1, 2);
  };
  return at::scaled_dot_product_attention(part(q), part(k), part(v), {}, 0.0, true, scale,
                                          q.size(1) > k.size(1))
      .transpose(1, 2);
}

void packed() {
  struct Shape {
    int64_t S, shortest, longest, H, K, d;
  };
  for (const Shape& s : std::vector<Shape>{{16, 20, 200, 6, 6, 48},
                                           {64, 20, 200, 4, 4, 32},
                                           {64, 20, 200, 8, 2, 16},
                                           {16, 20, 200, 12, 12, 64},
                                           {16, 100, 100, 12, 12, 64},
                                           {64, 64, 64, 4, 4, 32},
                                           {4, 512, 512, 12, 12, 64},
                                           {1, 1024, 1024, 12, 12, 64},
                                           {1, 2048, 2048, 12, 4, 64}}) {
    std::vector<int64_t> offsets = {0};
    for (int64_t i = 0; i < s.S; ++i) {
      offsets.push_back(offsets.back() + s.shortest + (s.longest - s.shortest) * i / s.S);
    }
    const Tensor q = noise({offsets.back(), s.H, s.d}).requires_grad_();
    const Tensor k = noise({offsets.back(), s.K, s.d}).requires_grad_();
    const Tensor v = noise({offsets.back(), s.K, s.d}).requires_grad_();
    const double scale = 1 / std::sqrt(static_cast<double>(s.d));
    auto ours = [=] { return kernels::packed_attention(q, k, v, offsets, {.scale = scale}); };
    const std::string name = "packed_attention S=" + std::to_string(s.S) +
                             " L=" + std::to_string(s.shortest) + ".." + std::to_string(s.longest) +
                             " H=" + std::to_string(s.H) + " K=" + std::to_string(s.K) +
                             " d=" + std::to_string(s.d);
    both(name + " vs loop", 0, {q, k, v}, ours,
         [=] { return plain_packed(q, k, v, offsets, scale); });
    if (s.shortest == s.longest) {
      both(
          name + " vs batched", 0, {q, k, v},
          [=] {
            return ours().view({s.S, -1, s.H, s.d});
          },
          [=] { return batched(q, k, v, s.S, scale); });
    }
  }
}

void cached() {
  for (int64_t B : {1, 16}) {
    for (int64_t length : {32, 256, 1024}) {
      const Tensor q = noise({B, 6, 48});
      const Tensor keys = noise({B, 6, 1024, 48}), values = noise({B, 6, 1024, 48});
      std::vector<int64_t> slots, lengths(B, length), offsets = {0}, starts(B, length - 1);
      for (int64_t b = 0; b < B; ++b) slots.push_back(b), offsets.push_back(b + 1);
      const double scale = 1 / std::sqrt(48.0);
      const std::string at = " B=" + std::to_string(B) + " length=" + std::to_string(length);
      compare(
          "cached_attention" + at, 0, 2.0 * 4 * B * 6 * 48 * length,
          [=] { kernels::cached_attention(q, keys, values, slots, lengths, {.scale = scale}); },
          [=] {
            at::scaled_dot_product_attention(q.unsqueeze(2), keys.narrow(2, 0, length),
                                             values.narrow(2, 0, length), {}, 0.0, false, scale);
          });
      if (length == 256) {
        compare(
            "write_cache" + at, 0, 0,
            [=] { kernels::write_cache(q, offsets, keys, slots, starts); },
            [=] { keys.select(2, length - 1).copy_(q); });
      }
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  at::manual_seed(1);
  benchmark::AddCustomContext("kernels", kernels::cpu().name);
  linears();
  row_kernels();
  packed();
  cached();
  benchmark::RunSpecifiedBenchmarks();
}
