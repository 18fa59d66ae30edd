// A small random student and teacher, and the same numbers for the scalar reference.
#pragma once

#include <cmath>
#include <functional>
#include <numeric>

#include "alambic/objective/divergence.h"
#include "alambic/objective/divergence_ref.h"

namespace alambic {

inline reference::Row row_of(const Tensor& vector) {
  const Tensor wide = vector.detach().to(at::kDouble).contiguous();
  const auto* data = wide.const_data_ptr<double>();
  return {data, data + wide.numel()};
}

inline std::vector<reference::Row> rows_of(const Tensor& matrix) {
  std::vector<reference::Row> rows;
  for (int64_t r = 0; r < matrix.size(0); ++r) rows.push_back(row_of(matrix[r]));
  return rows;
}

inline reference::Row logits_of(const Tensor& hidden_D, const Head& head) {
  return reference::logits(row_of(hidden_D), rows_of(head.weight_VD),
                           head.bias_V.defined() ? row_of(head.bias_V) : reference::Row{},
                           head.scale, head.softcap);
}

struct Problem {
  Tensor student_MD;
  Head student;
  Judgement judgement;

  Problem to(at::ScalarType dtype) const {
    const auto head = [&](Head h) {
      h.weight_VD = h.weight_VD.to(dtype);
      if (h.bias_V.defined()) h.bias_V = h.bias_V.to(dtype);
      return h;
    };
    return {student_MD.to(dtype),
            head(student),
            {.hidden_MD = judgement.hidden_MD.to(dtype), .head = head(judgement.head)}};
  }

  Problem rows(int64_t begin, int64_t count) const {
    return {student_MD.narrow(0, begin, count),
            student,
            {.hidden_MD = judgement.hidden_MD.narrow(0, begin, count), .head = judgement.head}};
  }

  reference::Row student_logits(int64_t m) const { return logits_of(student_MD[m], student); }
  reference::Row teacher_logits(int64_t m) const {
    return logits_of(judgement.hidden_MD[m], judgement.head);
  }

  /// Of one term at one position, over the whole vocabulary or over buckets, without T^k. `at`:
  /// where Akl's share, a constant of the gradient, is taken.
  double reference_distance(const Divergence& divergence, const DivergenceTerm& term, int64_t m,
                            const Problem& at) const {
    const double T = divergence.kd_temperature;
    const auto both = [&](const Problem& problem) {
      auto log_q = reference::log_softmax(problem.student_logits(m), T);
      auto log_p = reference::log_softmax(problem.teacher_logits(m), T);
      if (divergence.topk == 0) return std::pair(log_q, log_p);
      const auto chosen = chosen_tokens(divergence, log_q, log_p);
      return std::pair(reference::buckets(log_q, chosen), reference::buckets(log_p, chosen));
    };
    const auto [log_q, log_p] = both(*this);
    const auto [frozen_q, frozen_p] = both(at);
    const double parameter = term.kind == DivergenceKind::akl
                                 ? reference::head_share(frozen_q, frozen_p)
                                 : term.parameter;
    return reference::distance(term.kind, parameter, log_q, log_p);
  }

  static std::vector<int> chosen_tokens(const Divergence& divergence, const reference::Row& log_q,
                                        const reference::Row& log_p) {
    std::vector<int> chosen;
    const auto add = [&](const reference::Row& row) {
      std::vector<int> order(row.size());
      std::iota(order.begin(), order.end(), 0);
      std::ranges::stable_sort(order, [&](int a, int b) { return row[a] > row[b]; });
      for (int64_t k = 0; k < std::min<int64_t>(divergence.topk, std::ssize(row)); ++k) {
        if (std::ranges::find(chosen, order[k]) == chosen.end()) chosen.push_back(order[k]);
      }
    };
    if (divergence.topk_by != TopKBy::student) add(log_p);
    if (divergence.topk_by != TopKBy::teacher) add(log_q);
    return chosen;
  }

  /// Sum over rows of the reference's Σ weight·T^k·D.
  double reference_sum(const Divergence& divergence) const {
    return reference_sum(divergence, *this);
  }
  double reference_sum(const Divergence& divergence, const Problem& at) const {
    double total = 0;
    for (int64_t m = 0; m < student_MD.size(0); ++m) {
      for (const DivergenceTerm& term : divergence.terms) {
        total += term.weight *
                 std::pow(divergence.kd_temperature, term.kind == DivergenceKind::tvd ? 1 : 2) *
                 reference_distance(divergence, term, m, at);
      }
    }
    return total;
  }
};

/// float64, logits of a few units; widths of student and teacher differ.
inline Problem random_problem(int64_t graded = 7, int64_t vocabulary = 37, bool bias = false) {
  at::manual_seed(7);
  const auto random = [](at::IntArrayRef shape) { return at::randn(shape, at::kDouble); };
  Problem problem{.student_MD = random({graded, 5}),
                  .student = {.weight_VD = random({vocabulary, 5})},
                  .judgement = {.hidden_MD = random({graded, 6}),
                                .head = {.weight_VD = random({vocabulary, 6})}}};
  if (bias) {
    problem.student.bias_V = random({vocabulary});
    problem.judgement.head.bias_V = random({vocabulary});
  }
  return problem;
}

struct Gradients {
  double value;
  Tensor hidden_MD, weight_VD, bias_V;
};

/// Value and gradients of divergence_loss.
inline Gradients differentiate(const Problem& problem, const Divergence& divergence,
                               double normalizer = 1, const ChunkOptions& chunk = {}) {
  const Tensor hidden = problem.student_MD.detach().clone().requires_grad_();
  Head head = problem.student;
  head.weight_VD = head.weight_VD.detach().clone().requires_grad_();
  if (head.bias_V.defined()) head.bias_V = head.bias_V.detach().clone().requires_grad_();
  const Loss loss = divergence_loss(divergence, hidden, head, problem.judgement, normalizer, chunk);
  loss.value.backward();
  return {loss.value.item<double>(), hidden.grad(), head.weight_VD.grad(),
          head.bias_V.defined() ? head.bias_V.grad() : Tensor()};
}

/// Central differences of `value` in every entry of `x` (float64, changed in place and restored).
inline Tensor finite_differences(const Tensor& x, const std::function<double()>& value) {
  constexpr double step = 1e-5;
  const Tensor result = at::empty_like(x);
  auto* entries = x.data_ptr<double>();
  auto* out = result.data_ptr<double>();
  for (int64_t i = 0; i < x.numel(); ++i) {
    const double kept = entries[i];
    entries[i] = kept + step;
    const double above = value();
    entries[i] = kept - step;
    out[i] = (above - value()) / (2 * step);
    entries[i] = kept;
  }
  return result;
}

/// Largest difference over the largest entry.
inline double relative_difference(const Tensor& a, const Tensor& b) {
  const Tensor x = a.to(at::kDouble), y = b.to(at::kDouble);
  return (x - y).abs().max().item<double>() / std::max(y.abs().max().item<double>(), 1e-30);
}

}  // namespace alambic
