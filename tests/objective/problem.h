// A small random student and teacher, and the same numbers for the scalar reference.
#pragma once

#include <cmath>
#include <functional>

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
    return {
        student_MD.to(dtype), head(student), {judgement.hidden_MD.to(dtype), head(judgement.head)}};
  }

  Problem rows(int64_t begin, int64_t count) const {
    return {student_MD.narrow(0, begin, count),
            student,
            {judgement.hidden_MD.narrow(0, begin, count), judgement.head}};
  }

  /// Sum over rows of the reference's T²·D.
  double reference_sum(const Divergence& divergence) const {
    double total = 0;
    for (int64_t m = 0; m < student_MD.size(0); ++m) {
      total += reference::divergence(divergence.beta, divergence.kd_temperature,
                                     logits_of(student_MD[m], student),
                                     logits_of(judgement.hidden_MD[m], judgement.head));
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
                  .judgement = {random({graded, 6}), {.weight_VD = random({vocabulary, 6})}}};
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
