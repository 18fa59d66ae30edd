#include "alambic/objective/divergences/all.h"
#include "alambic/objective/log_softmax_wide.h"
#include "alambic/objective/row_kernels.h"
#include "alambic/objective/teacher_head.h"
#include "alambic/objective/wide_arithmetic.h"

namespace alambic::ALAMBIC_ISA {
namespace {

/// Up to kBlock vectors of tokens, kept in the first-level cache between two terms.
template <int bytes>
struct Block {
  using Float = typename wide::Types<bytes>::Float;
  Float p[wide::kBlock], q[wide::kBlock], delta[wide::kBlock];
  int64_t size;
};

/// Both rows' softmax in the form that the visits need.
template <int bytes>
struct Pair {
  using Float = typename wide::Types<bytes>::Float;
  float student_top, teacher_top, student_log_sum, teacher_log_sum, shift, inverse_temperature;

  [[gnu::always_inline]] Pair(const wide::Softmax& s, const wide::Softmax& t, double temperature)
      : student_top(s.top),
        teacher_top(t.top),
        student_log_sum(static_cast<float>(s.log_sum)),
        teacher_log_sum(static_cast<float>(t.log_sum)),
        shift(static_cast<float>(s.log_sum - t.log_sum)),
        inverse_temperature(static_cast<float>(1 / temperature)) {}

  [[gnu::always_inline]] Float log_q(Float z) const {
    return (z - student_top) * inverse_temperature - student_log_sum;
  }
  [[gnu::always_inline]] Float log_p(Float z) const {
    return (z - teacher_top) * inverse_temperature - teacher_log_sum;
  }
  /// From the logits, not from the logarithms: equal distributions give exactly 0.
  [[gnu::always_inline]] Float delta(Float zs, Float zt) const {
    return ((zs - student_top) - (zt - teacher_top)) * inverse_temperature - shift;
  }
};

/// Fills the block from both rows and adds what is reported whatever the objective.
template <int bytes>
[[gnu::always_inline]] inline void begin_block(const Pair<bytes>& pair,
                                               const typename wide::Types<bytes>::Float* zs,
                                               const typename wide::Types<bytes>::Float* zt,
                                               Block<bytes>& block, DivergenceSums& sums) {
  using A = wide::Arithmetic<bytes>;
  using Float = typename wide::Types<bytes>::Float;
  Float reverse_kl = {}, forward_kl = {}, student_entropy = {}, teacher_entropy = {};
  for (int64_t i = 0; i < block.size; ++i) {
    const Float log_q = pair.log_q(zs[i]), log_p = pair.log_p(zt[i]);
    const Float delta = pair.delta(zs[i], zt[i]);
    const Float q = wide::exp<bytes>(log_q), p = wide::exp<bytes>(log_p);
    forward_kl += positive_term<A>(p, q, delta);
    reverse_kl += positive_term<A>(q, p, -delta);
    student_entropy -= q * log_q;
    teacher_entropy -= p * log_p;
    block.p[i] = p;
    block.q[i] = q;
    block.delta[i] = delta;
  }
  sums.reverse_kl += wide::sum(reverse_kl);
  sums.forward_kl += wide::sum(forward_kl);
  sums.student_entropy += wide::sum(student_entropy);
  sums.teacher_entropy += wide::sum(teacher_entropy);
}

struct TermSums {
  double value = 0, pull = 0;
};

/// Adds one term of the objective over a block; its weighted pulls go to `pulls`.
template <class D, int bytes>
[[gnu::always_inline]] inline TermSums add_term(const Block<bytes>& block, float parameter,
                                                float pull_weight,
                                                typename wide::Types<bytes>::Float* pulls) {
  using A = wide::Arithmetic<bytes>;
  using Float = typename wide::Types<bytes>::Float;
  const Float constant = wide::splat<Float>(parameter);
  Float value = {}, pull = {};
  for (int64_t i = 0; i < block.size; ++i) {
    const Contribution<A> found =
        D::template at<A>({block.p[i], block.q[i], block.delta[i]}, constant);
    value += found.value;
    pull += found.pull;
    pulls[i] += pull_weight * found.pull;
  }
  return {wide::sum(value), wide::sum(pull)};
}

template <int bytes>
[[gnu::always_inline]] inline TermSums add_term_of(DivergenceKind kind, const Block<bytes>& block,
                                                   float parameter, float pull_weight,
                                                   typename wide::Types<bytes>::Float* pulls) {
  switch (kind) {
#define ALAMBIC_DIVERGENCE(kind, type) \
  case DivergenceKind::kind:           \
    return add_term<type, bytes>(block, parameter, pull_weight, pulls);
#include "alambic/objective/divergences.def"
#undef ALAMBIC_DIVERGENCE
  }
  return {};
}

/// Akl's parameter of one row.
template <int bytes>
[[gnu::always_inline]] inline float head_share(const DivergenceRow& row, const wide::Softmax& s,
                                               const wide::Softmax& t, const Pair<bytes>& pair,
                                               const float* student, const float* teacher) {
  using Float = typename wide::Types<bytes>::Float;
  if (!__builtin_isfinite(s.log_sum) || !__builtin_isfinite(t.log_sum)) return 0.5f;
  const auto* zs = reinterpret_cast<const Float*>(student);
  const auto* zt = reinterpret_cast<const Float*>(teacher);
  const int64_t vectors = wide::padded(row.vocabulary) / wide::Types<bytes>::lanes;
  double all = 0, head = 0;
  for (int64_t i = 0; i < vectors;) {
    Float part = {};
    for (const int64_t end = wide::min(i + wide::kBlock, vectors); i < end; ++i) {
      const Float difference =
          wide::exp<bytes>(pair.log_q(zs[i])) - wide::exp<bytes>(pair.log_p(zt[i]));
      part += difference > 0.0f ? difference : -difference;
    }
    all += wide::sum(part);
  }
  const TeacherHead likeliest =
      teacher_head(teacher, row.vocabulary, t.log_sum, t.top, row.temperature);
  for (int64_t i = 0; i < likeliest.count; ++i) {
    const int32_t v = likeliest.ids[i];
    const double q = std::exp((student[v] - s.top) / row.temperature - s.log_sum);
    const double p = std::exp((teacher[v] - t.top) / row.temperature - t.log_sum);
    head += __builtin_fabs(p - q);
  }
  return all > 0 ? static_cast<float>(head < all ? head / all : 1) : 0.5f;
}

template <int bytes, bool gradient>
[[gnu::always_inline]] inline DivergenceSums visit(const DivergenceRow& row, float* student,
                                                   float* teacher) {
  using Float = typename wide::Types<bytes>::Float;
  const int64_t vectors = wide::padded(row.vocabulary) / wide::Types<bytes>::lanes;
  wide::pad(student, row.vocabulary);
  wide::pad(teacher, row.vocabulary);
  const auto inverse_temperature = static_cast<float>(1 / row.temperature);
  const wide::Softmax s = wide::softmax<bytes>(student, row.vocabulary, inverse_temperature);
  const wide::Softmax t = wide::softmax<bytes>(teacher, row.vocabulary, inverse_temperature);
  const Pair<bytes> pair(s, t, row.temperature);
  float share = 0;
  for (const WeightedTerm& term : row.terms) {
    if (term.kind == DivergenceKind::akl) {
      share = head_share<bytes>(row, s, t, pair, student, teacher);
    }
  }
  const auto weight = static_cast<float>(row.weight);
  const auto cap = static_cast<float>(row.softcap > 0 ? 1 / (row.softcap * row.softcap) : 0);

  auto* zs = reinterpret_cast<Float*>(student);
  auto* zt = reinterpret_cast<Float*>(teacher);
  DivergenceSums sums;
  sums.agreement = s.argmax == t.argmax;
  double mean = 0;  // ⟨q, x⟩
  Block<bytes> block;
  Float pulls[wide::kBlock];
  for (int64_t begin = 0; begin < vectors; begin += wide::kBlock) {
    block.size = wide::min(wide::kBlock, vectors - begin);
    begin_block<bytes>(pair, zs + begin, zt + begin, block, sums);
    for (int64_t i = 0; i < block.size; ++i) pulls[i] = Float{};
    for (const WeightedTerm& term : row.terms) {
      const float parameter =
          term.kind == DivergenceKind::akl ? share : static_cast<float>(term.parameter);
      const TermSums found = add_term_of<bytes>(term.kind, block, parameter,
                                                static_cast<float>(term.pull_weight), pulls);
      sums.value += term.value_weight * found.value;
      mean += term.pull_weight * found.pull;
    }
    if constexpr (gradient) {
      for (int64_t i = 0; i < block.size; ++i) {
        const Float z = zs[begin + i];
        const Float through_cap = weight * (1.0f - z * z * cap);
        zs[begin + i] = through_cap * pulls[i];
        zt[begin + i] = through_cap * block.q[i];
      }
    }
  }
  if constexpr (gradient) {
    const auto center = static_cast<float>(mean);
    for (int64_t i = 0; i < vectors; ++i) zs[i] -= center * zt[i];
  }
  return sums;
}

}  // namespace

DivergenceSums divergence_row(const DivergenceRow& row, float* student, float* teacher) {
  return row.gradient ? visit<vector_bytes, true>(row, student, teacher)
                      : visit<vector_bytes, false>(row, student, teacher);
}

}  // namespace alambic::ALAMBIC_ISA
