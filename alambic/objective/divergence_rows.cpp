#include "alambic/objective/divergence_rows.h"

#include <vector>

namespace alambic {
namespace {

void rows_on_cpu(const DivergenceRow& row, const Tensor& student_CV, const Tensor& teacher_CV,
                 const Tensor& total) {
  const int64_t count = student_CV.size(0);
  float* student = student_CV.data_ptr<float>();
  float* teacher = teacher_CV.data_ptr<float>();
  const int64_t stride = student_CV.stride(0);
  std::vector<DivergenceSums> sums(count);
  at::parallel_for(0, count, 1, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      sums[r] = divergence_row(row, student + r * stride, teacher + r * stride);
    }
  });
  // In the order of the rows, whatever the number of threads.
  auto* out = total.data_ptr<double>();
  for (const DivergenceSums& s : sums) {
    out[0] += s.value;
    out[1] += s.reverse_kl;
    out[2] += s.forward_kl;
    out[3] += s.student_entropy;
    out[4] += s.teacher_entropy;
    out[5] += s.agreement;
  }
}

/// weight·(eˣ − 1 − x) where weight·eˣ is `other`.
Tensor positive_term(const Tensor& weight, const Tensor& other, const Tensor& x) {
  const Tensor small = x.clamp(-0.5, 0.5);
  // Series to the 12th power: below 1e-16 relative for |x| ≤ 1/2.
  Tensor series = at::full_like(x, 1.0 / 14);
  for (int n = 13; n >= 3; --n) series = series.mul_(small).add_(1).div_(n);
  series = series.mul_(small).add_(1).div_(2).mul_(small).mul_(small);
  return at::where(x.abs() < 0.5, weight * series, other - weight - weight * x);
}

void rows_by_tensors(const DivergenceRow& row, const Tensor& student_CV, const Tensor& teacher_CV,
                     const Tensor& total) {
  const Tensor log_q = at::log_softmax(student_CV / row.temperature, -1);
  const Tensor log_p = at::log_softmax(teacher_CV / row.temperature, -1);
  const Tensor q = log_q.exp(), p = log_p.exp();
  const Tensor delta = log_q - log_p;
  const auto per_row = [](const Tensor& terms) { return terms.sum(-1, true, at::kDouble); };
  const Tensor reverse = per_row(positive_term(q, p, -delta));
  const Tensor forward = per_row(positive_term(p, q, delta));

  Tensor value, direction, center;
  double scale = 1;
  if (row.beta == 0) {
    value = forward;
  } else if (row.beta == 1) {
    value = center = reverse;
    direction = delta;
  } else {
    // As to_mixture in divergence_cpu.cpp.
    const auto constant = [&](double x) { return at::full({}, x, delta.options()); };
    const Tensor positive = delta > 0;
    const Tensor share = at::where(positive, constant(row.beta), constant(1 - row.beta));
    const Tensor near = at::log1p(share * at::expm1(-delta.abs()));
    const Tensor to_student = at::where(positive, near, near - delta);
    const Tensor to_teacher = at::where(positive, near + delta, near);
    const Tensor m = row.beta * p + (1 - row.beta) * q;
    center = per_row(positive_term(q, m, to_student));
    value = row.beta * per_row(positive_term(p, m, to_teacher)) + (1 - row.beta) * center;
    direction = -to_student;
    scale = 1 - row.beta;
  }
  const Tensor agreement = (student_CV.argmax(-1) == teacher_CV.argmax(-1)).to(at::kDouble);
  total.add_(at::stack({value.sum(), reverse.sum(), forward.sum(), -per_row(q * log_q).sum(),
                        -per_row(p * log_p).sum(), agreement.sum()}));
  if (!row.gradient) return;
  Tensor gradient = row.beta == 0 ? q - p : q * (direction - center.to(q.scalar_type()));
  gradient.mul_(row.weight * scale);
  if (row.softcap > 0) gradient.mul_(1 - (student_CV / row.softcap).square());
  student_CV.copy_(gradient);
}

}  // namespace

void divergence_rows(const DivergenceRow& row, const Tensor& student_CV, const Tensor& teacher_CV,
                     const Tensor& total) {
  const at::NoGradGuard no_gradient;
  if (student_CV.is_cpu() && student_CV.scalar_type() == at::kFloat) {
    rows_on_cpu(row, student_CV, teacher_CV, total);
  } else {
    rows_by_tensors(row, student_CV, teacher_CV, total);
  }
}

}  // namespace alambic
