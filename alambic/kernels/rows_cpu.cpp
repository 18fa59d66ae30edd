// Kernels that walk rows once: RMSNorm, rotary positions, gated SiLU.
#include "alambic/kernels/kernels_cpu.h"
#include "alambic/kernels/simd/math.h"

namespace alambic::kernels::ALAMBIC_ISA {
namespace {

/// Σ f(d) with four running vectors; f(d, n) yields the products at d, n < lanes at the end.
template <class F>
[[gnu::always_inline]] inline float sum_row(int64_t D, F f) {
  Vec total[4] = {};
  int64_t d = 0;
  for (; d + 4 * lanes <= D; d += 4 * lanes) {
    for (int i = 0; i < 4; ++i) total[i] += f(d + i * lanes, lanes);
  }
  for (; d + lanes <= D; d += lanes) total[0] += f(d, lanes);
  if (d < D) total[1] += f(d, D - d);
  return sum((total[0] + total[1]) + (total[2] + total[3]));
}

[[gnu::always_inline]] inline Vec load_upto(const float* p, int64_t n) {
  return n == lanes ? load(p) : load_some(p, n);
}

[[gnu::always_inline]] inline Vec sigmoid(Vec x) { return 1.0f / (1.0f + exp(-x)); }

template <class F>
[[gnu::always_inline]] inline void each_vector(int64_t n, F f) {
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) f(i, lanes);
  if (i < n) f(i, n - i);
}

[[gnu::always_inline]] inline void store_upto(float* p, Vec v, int64_t n) {
  if (n == lanes) {
    store(p, v);
  } else {
    store_some(p, v, n);
  }
}

}  // namespace

void rms_norm(const float* x, const float* weight, double epsilon, float* y, float* inverse,
              int64_t N, int64_t D) {
  for (int64_t n = 0; n < N; ++n, x += D, y += D) {
    const float squares = sum_row(D, [&](int64_t d, int64_t count) {
      const Vec value = load_upto(x + d, count);
      return value * value;
    });
    const float scale =
        1.0f / __builtin_sqrtf(squares / static_cast<float>(D) + static_cast<float>(epsilon));
    if (inverse) inverse[n] = scale;
    for (int64_t d = 0; d < D; ++d) y[d] = weight[d] * (x[d] * scale);
  }
}

// With x̂ = x·s, g = w·dy: dx = s·(g − x̂·mean(g·x̂)), dw = Σ_n dy·x̂.
void rms_norm_grad(const float* x, const float* weight, const float* inverse, const float* dy,
                   float* dx, float* dweight, int64_t N, int64_t D) {
  if (dweight) {
    for (int64_t d = 0; d < D; ++d) dweight[d] = 0;
  }
  for (int64_t n = 0; n < N; ++n, x += D, dy += D) {
    const float s = inverse[n];
    if (dx) {
      const float dot = sum_row(D, [&](int64_t d, int64_t count) {
        return load_upto(x + d, count) * load_upto(weight + d, count) * load_upto(dy + d, count);
      });
      const float along = dot * s * s / static_cast<float>(D);
      float* out = dx + n * D;
      for (int64_t d = 0; d < D; ++d) out[d] = s * (weight[d] * dy[d] - x[d] * along);
    }
    if (dweight) {
      for (int64_t d = 0; d < D; ++d) dweight[d] += dy[d] * (x[d] * s);
    }
  }
}

void rope(const HeadsArgs& a, float direction) {
  const int64_t half = a.d / 2;
  for (int64_t n = 0; n < a.N; ++n) {
    const float* cos = a.cos + n * half;
    const float* sin = a.sin + n * half;
    for (int64_t h = 0; h < a.H; ++h) {
      const float* low = a.x + n * a.x_row + h * a.x_head;
      const float* high = low + half;
      float* y = a.y + (n * a.H + h) * a.d;
      each_vector(half, [&](int64_t i, int64_t count) {
        const Vec c = load_upto(cos + i, count), s = load_upto(sin + i, count) * direction;
        const Vec l = load_upto(low + i, count), u = load_upto(high + i, count);
        store_upto(y + i, l * c - u * s, count);
        store_upto(y + half + i, u * c + l * s, count);
      });
    }
  }
}

namespace {

// Output of a gate, and its derivative.
struct Gated {
  Vec value, slope;
};

// x·σ(x); σ(x)·(1 + x·(1 − σ(x))).
struct Silu {
  [[gnu::always_inline]] static Gated of(Vec x) {
    const Vec s = sigmoid(x);
    return {x * s, s * (1.0f + x * (1.0f - s))};
  }
};

// ½x·(1 + t), t = tanh(√(2/π)·(x + 0.044715·x³)); ½(1 + t) + ½x·(1 − t²)·√(2/π)·(1 + 0.134145·x²).
struct GeluTanh {
  [[gnu::always_inline]] static Gated of(Vec x) {
    constexpr float root = 0.797884561f;
    const Vec square = x * x, t = tanh(root * x * (1.0f + 0.044715f * square));
    return {0.5f * x * (1.0f + t),
            0.5f * (1.0f + t) + 0.5f * x * (1.0f - t * t) * (root * (1.0f + 0.134145f * square))};
  }
};

template <class Gate>
[[gnu::always_inline]] inline void gated(const float* gate, const float* up, float* y, int64_t n) {
  each_vector(n, [&](int64_t i, int64_t count) {
    const Vec value = Gate::of(load_upto(gate + i, count)).value;
    store_upto(y + i, up ? value * load_upto(up + i, count) : value, count);
  });
}

template <class Gate>
[[gnu::always_inline]] inline void gated_grad(const float* gate, const float* up, const float* dy,
                                              float* dgate, float* dup, int64_t n) {
  each_vector(n, [&](int64_t i, int64_t count) {
    const Gated g = Gate::of(load_upto(gate + i, count));
    const Vec grad = load_upto(dy + i, count);
    store_upto(dgate + i, grad * g.slope * (up ? load_upto(up + i, count) : splat(1)), count);
    if (up) store_upto(dup + i, grad * g.value, count);
  });
}

}  // namespace

void swiglu(const float* gate, const float* up, float* y, int64_t n) {
  gated<Silu>(gate, up, y, n);
}

void swiglu_grad(const float* gate, const float* up, const float* dy, float* dgate, float* dup,
                 int64_t n) {
  gated_grad<Silu>(gate, up, dy, dgate, dup, n);
}

void geglu(const float* gate, const float* up, float* y, int64_t n) {
  gated<GeluTanh>(gate, up, y, n);
}

void geglu_grad(const float* gate, const float* up, const float* dy, float* dgate, float* dup,
                int64_t n) {
  gated_grad<GeluTanh>(gate, up, dy, dgate, dup, n);
}

}  // namespace alambic::kernels::ALAMBIC_ISA
