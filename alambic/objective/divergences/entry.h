// Parts of a divergence, written once for every kind of number: vectors of floats in the row
// kernel, tensors elsewhere. `A` is the arithmetic: A::Number and select, exp, expm1, log1p,
// exp_remainder of it (simd_arithmetic.h, tensor_arithmetic.h). Functions are constexpr because
// nvcc lets device code call those (cuda/arithmetic.h).
#pragma once

namespace alambic {

/// One token (or one bucket of tokens) under both distributions. p teacher, q student.
template <class A>
struct Entry {
  typename A::Number p, q;
  typename A::Number delta;  ///< log(q / p), made from logits: exactly 0 where they agree
};

/// Contribution of a token to D, and q·x with x = ∂D/∂q up to a constant: the gradient of D with
/// regard to the student's logits is q·(x − ⟨q, x⟩).
template <class A>
struct Contribution {
  typename A::Number value, pull;
};

/// weight·(eˣ − 1 − x) ≥ 0, where weight·eˣ is `other`.
template <class A>
[[gnu::always_inline]] constexpr typename A::Number positive_term(const typename A::Number& weight,
                                                                  const typename A::Number& other,
                                                                  const typename A::Number& x) {
  return A::select((x < 0.5f) & (x > -0.5f), weight * A::exp_remainder(x),
                   other - weight - weight * x);
}

template <class A>
struct ToMixture {
  typename A::Number student, teacher;  ///< log(m / q), log(m / p)
};

/// Logarithms for m = share·p + (1 − share)·q. The larger of p and q is the one from which the way
/// to m is short: its logarithm is made first, from an exponential that cannot overflow, and the
/// other one is delta away.
template <class A>
[[gnu::always_inline]] constexpr ToMixture<A> to_mixture(const typename A::Number& delta,
                                                         const typename A::Number& share) {
  const auto positive = delta > 0.0f;
  const auto down = A::expm1(A::select(positive, -delta, delta));
  const auto log = A::log1p(A::select(positive, share, 1.0f - share) * down);
  return {A::select(positive, log, log - delta), A::select(positive, log + delta, log)};
}

/// numerator / m, and 0 where both distributions are 0.
template <class A>
[[gnu::always_inline]] constexpr typename A::Number over(const typename A::Number& numerator,
                                                         const typename A::Number& m) {
  return A::select(m > 0.0f, numerator / m, m);
}

}  // namespace alambic
