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

// The gate's value is rounded before the product, as where they are two operators.
template <class T, class Gate>
__global__ void gate_forward(const T* gate, const T* up, T* y, int64_t n) {
  const int64_t i = global_thread();
  if (i >= n) return;
  const float value = Gate::of(widen(gate[i])).value;
  y[i] = narrow<T>(up != nullptr ? widen(narrow<T>(value)) * widen(up[i]) : value);
}

template <class T, class Gate>
__global__ void gate_backward(const T* gate, const T* up, const T* dy, T* dgate, T* dup,
                              int64_t n) {
  const int64_t i = global_thread();
  if (i >= n) return;
  const Gated g = Gate::of(widen(gate[i]));
  const float grad = widen(dy[i]);
  dgate[i] = narrow<T>(up != nullptr ? grad * widen(up[i]) * g.slope : grad * g.slope);
  if (up != nullptr) dup[i] = narrow<T>(grad * g.value);
}

template <class T, class Gate>
void forward(const DeviceGated& job, void* stream) {
  simt::launch(gate_forward<T, Gate>, blocks_for(job.n, threads), threads, 0, stream,
               static_cast<const T*>(job.gate), static_cast<const T*>(job.up),
               static_cast<T*>(job.y), job.n);
}

template <class T, class Gate>
void backward(const DeviceGated& job, void* stream) {
  simt::launch(gate_backward<T, Gate>, blocks_for(job.n, threads), threads, 0, stream,
               static_cast<const T*>(job.gate), static_cast<const T*>(job.up),
               static_cast<const T*>(job.dy), static_cast<T*>(job.dgate), static_cast<T*>(job.dup),
               job.n);
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
