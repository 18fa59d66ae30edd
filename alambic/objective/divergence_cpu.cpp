#include "alambic/objective/divergences/all.h"
#include "alambic/objective/log_softmax_cpu.h"
#include "alambic/objective/row_kernels.h"
#include "alambic/objective/simd_arithmetic.h"
#include "alambic/objective/teacher_head.h"

namespace alambic::ALAMBIC_ISA {
namespace {

/// Up to kBlock vectors of tokens, kept in the first-level cache between two terms.
struct Block {
  Vec p[kBlock], q[kBlock], delta[kBlock];
  int64_t size;
};

/// Both rows' softmax in the form that the visits need.
struct Pair {
  float student_top, teacher_top, student_log_sum, teacher_log_sum, shift, inverse_temperature;

  [[gnu::always_inline]] Pair(const Softmax& s, const Softmax& t, double temperature)
      : student_top(s.top),
        teacher_top(t.top),
        student_log_sum(static_cast<float>(s.log_sum)),
        teacher_log_sum(static_cast<float>(t.log_sum)),
        shift(static_cast<float>(s.log_sum - t.log_sum)),
        inverse_temperature(static_cast<float>(1 / temperature)) {}

  [[gnu::always_inline]] Vec log_q(Vec z) const {
    return (z - student_top) * inverse_temperature - student_log_sum;
  }
  [[gnu::always_inline]] Vec log_p(Vec z) const {
    return (z - teacher_top) * inverse_temperature - teacher_log_sum;
  }
  /// From the logits, not from the logarithms: equal distributions give exactly 0.
  [[gnu::always_inline]] Vec delta(Vec zs, Vec zt) const {
    return ((zs - student_top) - (zt - teacher_top)) * inverse_temperature - shift;
  }
};

/// Fills the block from both rows and adds what is reported whatever the objective.
[[gnu::always_inline]] inline void begin_block(const Pair& pair, const RowVec* zs, const RowVec* zt,
                                               Block& block, DivergenceSums& sums) {
  using A = Arithmetic;
  Vec reverse_kl = {}, forward_kl = {}, student_entropy = {}, teacher_entropy = {};
  for (int64_t i = 0; i < block.size; ++i) {
    const Vec log_q = pair.log_q(zs[i]), log_p = pair.log_p(zt[i]);
    const Vec delta = pair.delta(zs[i], zt[i]);
    const Vec q = exp_nonpositive(log_q), p = exp_nonpositive(log_p);
    forward_kl += positive_term<A>(p, q, delta);
    reverse_kl += positive_term<A>(q, p, -delta);
    student_entropy -= q * log_q;
    teacher_entropy -= p * log_p;
    block.p[i] = p;
    block.q[i] = q;
    block.delta[i] = delta;
  }
  sums.reverse_kl += sum_in_double(reverse_kl);
  sums.forward_kl += sum_in_double(forward_kl);
  sums.student_entropy += sum_in_double(student_entropy);
  sums.teacher_entropy += sum_in_double(teacher_entropy);
}

struct TermSums {
  double value = 0, pull = 0;
};

/// Adds one term of the objective over a block; its weighted pulls go to `pulls`.
template <class D>
[[gnu::always_inline]] inline TermSums add_term(const Block& block, float parameter,
                                                float pull_weight, Vec* pulls) {
  using A = Arithmetic;
  const Vec constant = splat(parameter);
  Vec value = {}, pull = {};
  for (int64_t i = 0; i < block.size; ++i) {
    const Contribution<A> found =
        D::template at<A>({block.p[i], block.q[i], block.delta[i]}, constant);
    value += found.value;
    pull += found.pull;
    pulls[i] += pull_weight * found.pull;
  }
  return {sum_in_double(value), sum_in_double(pull)};
}

[[gnu::always_inline]] inline TermSums add_term_of(DivergenceKind kind, const Block& block,
                                                   float parameter, float pull_weight, Vec* pulls) {
  switch (kind) {
#define ALAMBIC_DIVERGENCE(kind, type) \
  case DivergenceKind::kind:           \
    return add_term<type>(block, parameter, pull_weight, pulls);
#include "alambic/objective/divergences.def"
#undef ALAMBIC_DIVERGENCE
  }
  return {};
}

/// Akl's parameter of one row.
[[gnu::always_inline]] inline float head_share(const DivergenceRow& row, const Softmax& s,
                                               const Softmax& t, const Pair& pair,
                                               const float* student, const float* teacher) {
  if (!__builtin_isfinite(s.log_sum) || !__builtin_isfinite(t.log_sum)) return 0.5f;
  const auto* zs = reinterpret_cast<const RowVec*>(student);
  const auto* zt = reinterpret_cast<const RowVec*>(teacher);
  const int64_t vectors = padded_row(row.vocabulary) / lanes;
  double all = 0, head = 0;
  for (int64_t i = 0; i < vectors;) {
    Vec part = {};
    for (const int64_t end = min(i + kBlock, vectors); i < end; ++i) {
      const Vec difference =
          exp_nonpositive(pair.log_q(zs[i])) - exp_nonpositive(pair.log_p(zt[i]));
      part += difference > 0.0f ? difference : -difference;
    }
    all += sum_in_double(part);
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

template <bool gradient>
[[gnu::always_inline]] inline DivergenceSums visit(const DivergenceRow& row, float* student,
                                                   float* teacher) {
  const int64_t vectors = padded_row(row.vocabulary) / lanes;
  pad(student, row.vocabulary);
  pad(teacher, row.vocabulary);
  const auto inverse_temperature = static_cast<float>(1 / row.temperature);
  const Softmax s = softmax(student, row.vocabulary, inverse_temperature);
  const Softmax t = softmax(teacher, row.vocabulary, inverse_temperature);
  const Pair pair(s, t, row.temperature);
  float share = 0;
  for (const WeightedTerm& term : row.terms) {
    if (term.kind == DivergenceKind::akl) {
      share = head_share(row, s, t, pair, student, teacher);
    }
  }
  const auto weight = static_cast<float>(row.weight);
  const auto cap = static_cast<float>(row.softcap > 0 ? 1 / (row.softcap * row.softcap) : 0);

  auto* zs = reinterpret_cast<RowVec*>(student);
  auto* zt = reinterpret_cast<RowVec*>(teacher);
  DivergenceSums sums;
  sums.agreement = s.argmax == t.argmax;
  double mean = 0;  // ⟨q, x⟩
  Block block;
  Vec pulls[kBlock];
  for (int64_t begin = 0; begin < vectors; begin += kBlock) {
    block.size = min(kBlock, vectors - begin);
    begin_block(pair, zs + begin, zt + begin, block, sums);
    for (int64_t i = 0; i < block.size; ++i) pulls[i] = Vec{};
    for (const WeightedTerm& term : row.terms) {
      const float parameter =
          term.kind == DivergenceKind::akl ? share : static_cast<float>(term.parameter);
      const TermSums found =
          add_term_of(term.kind, block, parameter, static_cast<float>(term.pull_weight), pulls);
      sums.value += term.value_weight * found.value;
      mean += term.pull_weight * found.pull;
    }
    if constexpr (gradient) {
      for (int64_t i = 0; i < block.size; ++i) {
        const Vec z = zs[begin + i];
        const Vec through_cap = weight * (1.0f - z * z * cap);
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
  return row.gradient ? visit<true>(row, student, teacher) : visit<false>(row, student, teacher);
}

}  // namespace alambic::ALAMBIC_ISA
