#include "alambic/objective/divergence_cpu.h"

#include "alambic/objective/log_softmax_wide.h"

namespace alambic {
namespace {

enum class Kind { forward, reverse, mixed };

/// Everything a position contributes, and what its gradient needs.
template <class Float>
struct Terms {
  Float reverse_kl = {}, forward_kl = {}, student_entropy = {}, teacher_entropy = {};
  Float teacher_to_mixture = {}, student_to_mixture = {};  // KL(p‖m), KL(q‖m)
};

/// weight·(eˣ − 1 − x), where weight·eˣ is `other`.
template <class Float>
[[gnu::always_inline]] inline Float positive_term(Float weight, Float other, Float x) {
  const auto near = (x < 0.5f) & (x > -0.5f);
  return near ? weight * wide::exp_remainder(x) : other - weight - weight * x;
}

template <class Float>
struct ToMixture {
  Float student, teacher;  // log(m / q), log(m / p)
};

/// For m = beta·p + (1 − beta)·q and delta = log(q / p). The larger of p and q is the one from
/// which the way to m is short: its logarithm is made first, from an exponential that cannot
/// overflow, and the other one is delta away.
template <int bytes, class Float>
[[gnu::always_inline]] inline ToMixture<Float> to_mixture(Float delta, float beta) {
  const auto positive = delta > 0.0f;
  const Float down = positive ? -delta : delta;
  const auto near = down > -0.5f;
  const Float expm1 = near ? down + wide::exp_remainder(down) : wide::exp<bytes>(down) - 1.0f;
  const Float share = positive ? wide::splat<Float>(beta) : wide::splat<Float>(1.0f - beta);
  const Float log = wide::log1p<bytes>(share * expm1);
  return {positive ? log : log - delta, positive ? log + delta : log};
}

template <int bytes, Kind kind, bool gradient>
[[gnu::always_inline]] inline DivergenceSums visit(const DivergenceRow& row, float* student,
                                                   float* teacher) {
  using Float = typename wide::Types<bytes>::Float;
  const int64_t vectors = wide::padded(row.vocabulary) / wide::Types<bytes>::lanes;
  const auto inverse_temperature = static_cast<float>(1 / row.temperature);
  wide::pad(student, row.vocabulary);
  wide::pad(teacher, row.vocabulary);
  const wide::Softmax s = wide::softmax<bytes>(student, row.vocabulary, inverse_temperature);
  const wide::Softmax t = wide::softmax<bytes>(teacher, row.vocabulary, inverse_temperature);
  const auto student_log_sum = static_cast<float>(s.log_sum);
  const auto teacher_log_sum = static_cast<float>(t.log_sum);
  const auto shift = static_cast<float>(s.log_sum - t.log_sum);
  const auto beta = static_cast<float>(row.beta);
  const auto weight = static_cast<float>(row.weight);
  const auto cap = static_cast<float>(row.softcap > 0 ? 1 / (row.softcap * row.softcap) : 0);

  auto* zs = reinterpret_cast<Float*>(student);
  auto* zt = reinterpret_cast<Float*>(teacher);
  DivergenceSums sums;
  double teacher_to_mixture = 0, student_to_mixture = 0;
  for (int64_t i = 0; i < vectors;) {
    Terms<Float> terms;
    for (const int64_t end = std::min(i + wide::kBlock, vectors); i < end; ++i) {
      const Float z = zs[i];
      const Float us = z - s.top, ut = zt[i] - t.top;
      const Float log_q = us * inverse_temperature - student_log_sum;
      const Float log_p = ut * inverse_temperature - teacher_log_sum;
      // From the logits, not from the logarithms: equal distributions give exactly 0.
      const Float delta = (us - ut) * inverse_temperature - shift;
      const Float q = wide::exp<bytes>(log_q), p = wide::exp<bytes>(log_p);
      terms.forward_kl += positive_term(p, q, delta);
      terms.reverse_kl += positive_term(q, p, -delta);
      terms.student_entropy -= q * log_q;
      terms.teacher_entropy -= p * log_p;
      Float direction = delta;
      if constexpr (kind == Kind::mixed) {
        const ToMixture<Float> to = to_mixture<bytes>(delta, beta);
        const Float m = p * beta + q * (1.0f - beta);
        terms.teacher_to_mixture += positive_term(p, m, to.teacher);
        terms.student_to_mixture += positive_term(q, m, to.student);
        direction = -to.student;
      }
      if constexpr (gradient) {
        const Float through_cap = weight * (1.0f - z * z * cap);
        if constexpr (kind == Kind::forward) {
          zs[i] = through_cap * (q - p);
        } else {
          zs[i] = direction;
          zt[i] = through_cap * q;
        }
      }
    }
    sums.reverse_kl += wide::sum(terms.reverse_kl);
    sums.forward_kl += wide::sum(terms.forward_kl);
    sums.student_entropy += wide::sum(terms.student_entropy);
    sums.teacher_entropy += wide::sum(terms.teacher_entropy);
    if constexpr (kind == Kind::mixed) {
      teacher_to_mixture += wide::sum(terms.teacher_to_mixture);
      student_to_mixture += wide::sum(terms.student_to_mixture);
    }
  }
  sums.agreement = s.argmax == t.argmax;
  double mean = sums.reverse_kl;  // ⟨q, delta⟩
  switch (kind) {
    case Kind::forward:
      sums.value = sums.forward_kl;
      break;
    case Kind::reverse:
      sums.value = sums.reverse_kl;
      break;
    case Kind::mixed:
      sums.value = row.beta * teacher_to_mixture + (1 - row.beta) * student_to_mixture;
      mean = student_to_mixture;
  }
  if constexpr (gradient && kind != Kind::forward) {
    const auto scale = kind == Kind::mixed ? 1.0f - beta : 1.0f;
    const auto center = static_cast<float>(mean);
    for (int64_t i = 0; i < vectors; ++i) zs[i] = scale * zt[i] * (zs[i] - center);
  }
  return sums;
}

template <int bytes, bool gradient>
[[gnu::always_inline]] inline DivergenceSums by_kind(const DivergenceRow& row, float* student,
                                                     float* teacher) {
  if (row.beta == 0) return visit<bytes, Kind::forward, gradient>(row, student, teacher);
  if (row.beta == 1) return visit<bytes, Kind::reverse, gradient>(row, student, teacher);
  return visit<bytes, Kind::mixed, gradient>(row, student, teacher);
}

template <int bytes>
[[gnu::always_inline]] inline DivergenceSums any(const DivergenceRow& row, float* student,
                                                 float* teacher) {
  return row.gradient ? by_kind<bytes, true>(row, student, teacher)
                      : by_kind<bytes, false>(row, student, teacher);
}

[[gnu::target("arch=x86-64-v4")]] DivergenceSums with_avx512(const DivergenceRow& row,
                                                             float* student, float* teacher) {
  return any<64>(row, student, teacher);
}

[[gnu::target("arch=x86-64-v3")]] DivergenceSums with_avx2(const DivergenceRow& row, float* student,
                                                           float* teacher) {
  return any<32>(row, student, teacher);
}

DivergenceSums with_baseline(const DivergenceRow& row, float* student, float* teacher) {
  return any<16>(row, student, teacher);
}

}  // namespace

std::vector<DivergenceKernel> divergence_kernels() {
  std::vector<DivergenceKernel> kernels;
  if (__builtin_cpu_supports("x86-64-v4")) kernels.push_back(with_avx512);
  if (__builtin_cpu_supports("x86-64-v3")) kernels.push_back(with_avx2);
  kernels.push_back(with_baseline);
  return kernels;
}

DivergenceSums divergence_row(const DivergenceRow& row, float* student, float* teacher) {
  static const DivergenceKernel kernel = divergence_kernels().front();
  return kernel(row, student, teacher);
}

}  // namespace alambic
