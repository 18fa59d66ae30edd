// The inside of gated MLPs (kernels/activation.h) and its gradient, element by element.
#include "alambic/kernels/cuda/kernels.h"
#include "alambic/kernels/cuda/numbers.h"

namespace alambic::kernels::device {
namespace {

constexpr int threads = 256;

/// Output of a gate, and its derivative.
struct Gated {
  float value, slope;
};

// x·σ(x); σ(x)·(1 + x·(1 − σ(x))).
struct Silu {
  __device__ static Gated of(float x) {
    const float s = 1.0f / (1.0f + expf(-x));
    return {x * s, s * (1.0f + x * (1.0f - s))};
  }
};

// ½x·(1 + t), t = tanh(√(2/π)·(x + 0.044715·x³)); ½(1 + t) + ½x·(1 − t²)·√(2/π)·(1 + 0.134145·x²).
struct GeluTanh {
  __device__ static Gated of(float x) {
    constexpr float root = 0.797884561f;
    const float square = x * x, t = tanhf(root * x * (1.0f + 0.044715f * square));
    return {0.5f * x * (1.0f + t),
            0.5f * (1.0f + t) + 0.5f * x * (1.0f - t * t) * (root * (1.0f + 0.134145f * square))};
  }
};

/// This thread's element: its place in dense rows, and in the rows of gate and up. A row takes
/// whole blocks, so that only a block divides.
struct Element {
  int64_t dense, gate, up;
  bool there;

  __device__ explicit Element(const DeviceGated& job) {
    const int64_t blocks = (job.F + threads - 1) / threads;
    const int64_t n = blockIdx.x / blocks, f = blockIdx.x % blocks * threads + threadIdx.x;
    dense = n * job.F + f;
    gate = n * job.gate_row + f;
    up = n * job.up_row + f;
    there = f < job.F;
  }
};

// The gate's value is rounded before the product, as where they are two operators.
template <class T, class Gate>
__global__ void gate_forward(DeviceGated job) {
  const Element at(job);
  if (!at.there) return;
  const float value = Gate::of(widen(static_cast<const T*>(job.gate)[at.gate])).value;
  const T* up = static_cast<const T*>(job.up);
  static_cast<T*>(job.y)[at.dense] =
      narrow<T>(up != nullptr ? widen(narrow<T>(value)) * widen(up[at.up]) : value);
}

template <class T, class Gate>
__global__ void gate_backward(DeviceGated job) {
  const Element at(job);
  if (!at.there) return;
  const Gated g = Gate::of(widen(static_cast<const T*>(job.gate)[at.gate]));
  const T* up = static_cast<const T*>(job.up);
  const float grad = widen(static_cast<const T*>(job.dy)[at.dense]);
  static_cast<T*>(job.dgate)[at.dense] =
      narrow<T>(up != nullptr ? grad * widen(up[at.up]) * g.slope : grad * g.slope);
  if (up != nullptr) static_cast<T*>(job.dup)[at.dense] = narrow<T>(grad * g.value);
}

unsigned blocks_of(const DeviceGated& job) {
  return static_cast<unsigned>(job.N) * blocks_for(job.F, threads);
}

template <class T, class Gate>
void forward(const DeviceGated& job, void* stream) {
  simt::launch(gate_forward<T, Gate>, blocks_of(job), threads, 0, stream, job);
}

template <class T, class Gate>
void backward(const DeviceGated& job, void* stream) {
  simt::launch(gate_backward<T, Gate>, blocks_of(job), threads, 0, stream, job);
}

}  // namespace

void gated(const DeviceGated& job, void* stream) {
  with_type(job.type, [&](auto number) {
    using T = decltype(number);
    job.kind == DeviceGate::silu ? forward<T, Silu>(job, stream)
                                 : forward<T, GeluTanh>(job, stream);
  });
}

void gated_grad(const DeviceGated& job, void* stream) {
  with_type(job.type, [&](auto number) {
    using T = decltype(number);
    job.kind == DeviceGate::silu ? backward<T, Silu>(job, stream)
                                 : backward<T, GeluTanh>(job, stream);
  });
}

}  // namespace alambic::kernels::device
