// Elementary functions of float vectors, accurate to about 1e-7: range reductions and polynomials
// of Cephes' single-precision library (netlib.org/cephes).
#pragma once

#include "alambic/kernels/simd/vector.h"

namespace alambic::simd::ALAMBIC_ISA {

/// e^r for |r| ≤ ln 2 / 2.
[[gnu::always_inline]] inline Vec exp_reduced(Vec r) {
  Vec p = r * 1.9875691500e-4f + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  return p * r * r + r + 1.0f;
}

/// x − n·ln 2, ln 2 in two parts.
[[gnu::always_inline]] inline Vec minus_ln2_times(Vec x, Vec n) {
  return (x - n * 0.693359375f) - n * -2.12194440e-4f;
}

/// e^x to 2 units in the last place; 0 below −87.3, infinity above 88.7, NaN of NaN.
[[gnu::always_inline]] inline Vec exp(Vec x) {
  const Vec clamped = max(splat(-87.33f), x > 88.73f ? splat(88.73f) : x);
  const Vec shifter = splat(12582912.0f);  // 1.5·2²³: adding it rounds to an integer
  const Vec shifted = clamped * 1.44269504f + shifter;
  const Vec n = shifted - shifter;
  Vec p = exp_reduced(minus_ln2_times(clamped, n));
  // 2^n in two factors: n reaches 128, whose power is no float.
  const IntVec k = (IntVec)shifted - 0x4B400000, half = k >> 1;
  p = p * (Vec)((half + 127) << 23) * (Vec)((k - half + 127) << 23);
  p = x < -87.33f ? splat(0.0f) : p;
  p = x > 88.73f ? splat(__builtin_inff()) : p;
  return x == x ? p : x;
}

/// e^x for x ≤ 1/2, which is all that probabilities need; exactly 0 below −87 (no denormal
/// numbers).
[[gnu::always_inline]] inline Vec exp_nonpositive(Vec x) {
  const Vec floor = splat(-87);
  const Vec y = x < floor ? floor : x;
  const IntVec n = __builtin_convertvector(y * 1.44269504f - 0.5f, IntVec);
  const Vec p = exp_reduced(minus_ln2_times(y, __builtin_convertvector(n, Vec)));
  const Vec result = p * (Vec)((n + 127) << 23);
  return x < floor ? Vec{} : result;
}

/// e^x − 1 − x for |x| ≤ 1/2, without cancellation.
[[gnu::always_inline]] inline Vec exp_remainder(Vec x) {
  Vec p = x * (1.0f / 40320) + 1.0f / 5040;
  p = p * x + 1.0f / 720;
  p = p * x + 1.0f / 120;
  p = p * x + 1.0f / 24;
  p = p * x + 1.0f / 6;
  p = p * x + 0.5f;
  return p * x * x;
}

/// e^x − 1 for x ≤ 0.
[[gnu::always_inline]] inline Vec expm1_nonpositive(Vec x) {
  return x > -0.5f ? x + exp_remainder(x) : exp_nonpositive(x) - 1.0f;
}

/// log(1 + y) for −1 < y ≤ 0: the polynomial, then what 1 + y rounded away.
[[gnu::always_inline]] inline Vec log1p(Vec y) {
  const Vec c = y + 1.0f;
  const IntVec bits = (IntVec)c;
  const IntVec exponent = (bits - 0x3f3504f3) >> 23;
  const Vec e = __builtin_convertvector(exponent, Vec);
  const Vec x = (Vec)(bits - (exponent << 23)) - 1.0f;
  Vec p = x * 7.0376836292e-2f - 1.1514610310e-1f;
  p = p * x + 1.1676998740e-1f;
  p = p * x - 1.2420140846e-1f;
  p = p * x + 1.4249322787e-1f;
  p = p * x - 1.6668057665e-1f;
  p = p * x + 2.0000714765e-1f;
  p = p * x - 2.4999993993e-1f;
  p = p * x + 3.3333331174e-1f;
  const Vec square = x * x;
  const Vec tail = p * x * square + e * -2.12194440e-4f - 0.5f * square;
  return x + tail + e * 0.693359375f + (y - (c - 1.0f)) / c;
}

/// tanh x to 3 units in the last place: Cephes' polynomial near zero, where the quotient would lose
/// its digits.
[[gnu::always_inline]] inline Vec tanh(Vec x) {
  const Vec size = x < 0.0f ? -x : x, z = x * x;
  Vec p = splat(-5.70498872745e-3f);
  p = p * z + 2.06390887954e-2f;
  p = p * z - 5.37397155531e-2f;
  p = p * z + 1.33314422036e-1f;
  p = p * z - 3.33332819422e-1f;
  const Vec near = p * z * x + x;
  const Vec far = 1.0f - 2.0f / (exp(size + size) + 1.0f);
  return size < 0.625f ? near : (x < 0.0f ? -far : far);
}

}  // namespace alambic::simd::ALAMBIC_ISA
