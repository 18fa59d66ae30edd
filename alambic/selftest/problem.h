// A small random student and teacher, and the same numbers for the scalar reference. Behind
// `alambic selftest` and the tests.
#pragma once

#include <functional>

#include "alambic/objective/divergence.h"
#include "alambic/objective/divergence_ref.h"

namespace alambic::selftest {

reference::Row row_of(const Tensor& vector);
std::vector<reference::Row> rows_of(const Tensor& matrix);
reference::Row logits_of(const Tensor& hidden_D, const Head& head);

struct Problem {
  Tensor student_MD;
  Head student;
  TeacherOutput teacher_output;

  /// The teacher's hidden states; not of a remote() one.
  const HiddenStates& teacher() const { return std::get<HiddenStates>(teacher_output); }
  HiddenStates& teacher() { return std::get<HiddenStates>(teacher_output); }

  Problem to(at::ScalarType dtype) const;
  Problem rows(int64_t begin, int64_t count) const;

  reference::Row student_logits(int64_t m) const { return logits_of(student_MD[m], student); }
  reference::Row teacher_logits(int64_t m) const {
    return logits_of(teacher().hidden_MD[m], teacher().head);
  }

  /// Sum over rows of the reference's Σ weight·T^k·D, over the whole vocabulary or over buckets.
  double reference_sum(const Divergence& divergence) const {
    return reference_sum(divergence, *this);
  }
  /// `at`: where Akl's share, a constant of the gradient, is taken.
  double reference_sum(const Divergence& divergence, const Problem& at) const;
};

/// float64, logits of a few units; widths of student and teacher differ.
Problem random_problem(int64_t graded = 7, int64_t vocabulary = 37, bool bias = false);

/// One row whose logits are given: width 1, hidden state 1. float64.
Problem one_row(const std::vector<double>& student, const std::vector<double>& teacher);

/// The teacher's K most likely tokens at temperature T as a server or a cache sends them.
Problem remote(const Problem& problem, int64_t K, double T);

/// measure_divergence's value.
double loss_of(const Problem& problem, const Divergence& divergence);

struct Gradients {
  double value;
  Tensor hidden_MD, weight_VD, bias_V;
};

/// Value and gradients of divergence_loss.
Gradients differentiate(const Problem& problem, const Divergence& divergence, double normalizer = 1,
                        const ChunkOptions& chunk = {});

/// Central differences of `value` in every entry of `x` (float64, changed in place and restored).
Tensor finite_differences(const Tensor& x, const std::function<double()>& value);

/// Largest difference over the largest entry.
double relative_difference(const Tensor& a, const Tensor& b);

}  // namespace alambic::selftest
