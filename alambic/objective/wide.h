// Vectors of floats whose width the caller chooses, and the few functions of them that losses need,
// accurate to about 1e-7. Everything is forced inline: what includes this is compiled once per
// instruction set (docs/build.md says why the target attribute is not enough).
#pragma once

#include <cstdint>

namespace alambic::wide {

/// Rows that these kernels visit are padded to a multiple of this many floats (one cache line,
/// the widest vector).
inline constexpr int64_t kPadding = 16;

template <int bytes>
struct Types {
  typedef float Float __attribute__((vector_size(bytes), may_alias));
  typedef int32_t Int __attribute__((vector_size(bytes), may_alias));
  static constexpr int64_t lanes = bytes / 4;
};

template <class T>
[[gnu::always_inline]] inline double sum(T lanes) {
  double total = 0;
  for (unsigned i = 0; i < sizeof(T) / 4; ++i) total += lanes[i];
  return total;
}

template <class T>
[[gnu::always_inline]] inline T splat(float value) {
  return T{} + value;
}

/// e^x for x ≤ 1/2; exactly 0 below −87 (no denormal numbers). Cephes' polynomial.
template <int bytes>
[[gnu::always_inline]] inline typename Types<bytes>::Float exp(typename Types<bytes>::Float x) {
  using Float = typename Types<bytes>::Float;
  using Int = typename Types<bytes>::Int;
  const Float floor = splat<Float>(-87);
  const Float y = x < floor ? floor : x;
  const Int n = __builtin_convertvector(y * 1.44269504f - 0.5f, Int);
  const Float whole = __builtin_convertvector(n, Float);
  const Float r = (y - whole * 0.693359375f) - whole * -2.12194440e-4f;
  Float p = r * 1.9875691500e-4f + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  const Float fraction = p * r * r + r + 1.0f;
  const Float result = fraction * (Float)((n + 127) << 23);
  return x < floor ? Float{} : result;
}

/// (e^x − 1 − x) for |x| ≤ 1/2, without cancellation.
template <class Float>
[[gnu::always_inline]] inline Float exp_remainder(Float x) {
  Float p = x * (1.0f / 40320) + 1.0f / 5040;
  p = p * x + 1.0f / 720;
  p = p * x + 1.0f / 120;
  p = p * x + 1.0f / 24;
  p = p * x + 1.0f / 6;
  p = p * x + 0.5f;
  return p * x * x;
}

/// log(1 + y) for −1 < y ≤ 0: Cephes' polynomial, then what 1 + y rounded away.
template <int bytes>
[[gnu::always_inline]] inline typename Types<bytes>::Float log1p(typename Types<bytes>::Float y) {
  using Float = typename Types<bytes>::Float;
  using Int = typename Types<bytes>::Int;
  const Float c = y + 1.0f;
  const Int bits = (Int)c;
  const Int exponent = (bits - 0x3f3504f3) >> 23;
  const Float e = __builtin_convertvector(exponent, Float);
  const Float x = (Float)(bits - (exponent << 23)) - 1.0f;
  Float p = x * 7.0376836292e-2f - 1.1514610310e-1f;
  p = p * x + 1.1676998740e-1f;
  p = p * x - 1.2420140846e-1f;
  p = p * x + 1.4249322787e-1f;
  p = p * x - 1.6668057665e-1f;
  p = p * x + 2.0000714765e-1f;
  p = p * x - 2.4999993993e-1f;
  p = p * x + 3.3333331174e-1f;
  const Float square = x * x;
  const Float tail = p * x * square + e * -2.12194440e-4f - 0.5f * square;
  return x + tail + e * 0.693359375f + (y - (c - 1.0f)) / c;
}

}  // namespace alambic::wide
