#include "alambic/objective/divergence_rows.h"

#include <algorithm>
#include <vector>

#include "alambic/objective/device_row_kernels.h"
#include "alambic/objective/divergences/all.h"
#include "alambic/objective/tensor_arithmetic.h"

namespace alambic {
namespace {

using A = TensorArithmetic;

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

Tensor per_row(const Tensor& terms) { return terms.sum(-1, true, at::kDouble); }

}  // namespace

Tensor head_share_C1(const Tensor& p_CV, const Tensor& q_CV) {
  // A stable sort: ties go to the lower id, as in the kernel.
  const auto [sorted_CV, order_CV] = at::sort(p_CV, /*stable=*/true, -1, /*descending=*/true);
  const Tensor before_CV = sorted_CV.cumsum(-1, at::kDouble) - sorted_CV;
  const Tensor difference_CV = (p_CV - q_CV).abs().gather(-1, order_CV);
  const Tensor head_C1 = per_row(difference_CV.masked_fill(before_CV >= 0.5, 0));
  const Tensor all_C1 = per_row(difference_CV);
  return at::where(all_C1 > 0, head_C1 / all_C1, at::full_like(all_C1, 0.5)).to(p_CV.scalar_type());
}

TermTensors add_terms(const std::vector<WeightedTerm>& terms, const Entry<A>& entry) {
  TermTensors result;
  for (const WeightedTerm& term : terms) {
    const Tensor parameter = term.kind == DivergenceKind::akl
                                 ? head_share_C1(entry.p, entry.q)
                                 : at::full({}, term.parameter, entry.delta.options());
    Contribution<A> found;
    switch (term.kind) {
#define ALAMBIC_DIVERGENCE(kind, type)              \
  case DivergenceKind::kind:                        \
    found = type::template at<A>(entry, parameter); \
    break;
#include "alambic/objective/divergences.def"
#undef ALAMBIC_DIVERGENCE
    }
    const Tensor value_C1 = per_row(found.value) * term.value_weight;
    const Tensor pull_CV = found.pull * term.pull_weight;
    result.value_C1 = result.value_C1.defined() ? result.value_C1 + value_C1 : value_C1;
    result.pull_CV = result.pull_CV.defined() ? result.pull_CV.add_(pull_CV) : pull_CV;
  }
  return result;
}

namespace {

void rows_by_tensors(const DivergenceRow& row, const Tensor& student_CV, const Tensor& teacher_CV,
                     const Tensor& total) {
  const Tensor log_q = at::log_softmax(student_CV / row.temperature, -1);
  const Tensor log_p = at::log_softmax(teacher_CV / row.temperature, -1);
  const Entry<A> entry{log_p.exp(), log_q.exp(), log_q - log_p};
  const Tensor reverse = ReverseKl::at<A>(entry, {}).value;
  const Tensor forward = ForwardKl::at<A>(entry, {}).value;
  const TermTensors terms = add_terms(row.terms, entry);
  const Tensor agreement = (student_CV.argmax(-1) == teacher_CV.argmax(-1)).to(at::kDouble);
  total.add_(at::stack({terms.value_C1.sum(), per_row(reverse).sum(), per_row(forward).sum(),
                        -per_row(entry.q * log_q).sum(), -per_row(entry.p * log_p).sum(),
                        agreement.sum()}));
  if (!row.gradient) return;
  const Tensor mean_C1 = per_row(terms.pull_CV).to(entry.q.scalar_type());
  Tensor gradient = terms.pull_CV - entry.q * mean_C1;
  gradient.mul_(row.weight);
  if (row.softcap > 0) gradient.mul_(1 - (student_CV / row.softcap).square());
  student_CV.copy_(gradient);
}

// Rows that an accelerator has a kernel for.
const DeviceRows* kernels_of_rows(const DivergenceRow& row, const Tensor& student_CV,
                                  const Tensor& teacher_CV) {
  const bool rows = student_CV.stride(0) == teacher_CV.stride(0) && student_CV.stride(1) == 1 &&
                    teacher_CV.stride(1) == 1 && std::ssize(row.terms) <= most_device_terms;
  return rows ? device_rows_of(student_CV, teacher_CV) : nullptr;
}

void rows_on_device(const DeviceRows& kernels, const DivergenceRow& row, const Tensor& student_CV,
                    const Tensor& teacher_CV, const Tensor& total) {
  const kernels::DeviceCall call = kernels::call_for(student_CV);
  const Tensor sums = at::empty({student_CV.size(0), 6}, total.options());
  DeviceDivergence job = {.student = call.at<float>(student_CV),
                          .teacher = call.at<float>(teacher_CV),
                          .rows = student_CV.size(0),
                          .vocabulary = row.vocabulary,
                          .stride = student_CV.stride(0),
                          .terms = {},
                          .term_count = static_cast<int>(row.terms.size()),
                          .temperature = row.temperature,
                          .weight = row.weight,
                          .softcap = row.softcap,
                          .gradient = row.gradient,
                          .sums = call.at<double>(sums),
                          .total = call.at<double>(total)};
  std::ranges::copy(row.terms, job.terms);
  call.run(kernels.divergence, job);
}

}  // namespace

void divergence_rows(const DivergenceRow& row, const Tensor& student_CV, const Tensor& teacher_CV,
                     const Tensor& total) {
  const at::NoGradGuard no_gradient;
  if (student_CV.is_cpu() && student_CV.scalar_type() == at::kFloat) {
    rows_on_cpu(row, student_CV, teacher_CV, total);
  } else if (const auto* kernels = kernels_of_rows(row, student_CV, teacher_CV)) {
    rows_on_device(*kernels, row, student_CV, teacher_CV, total);
  } else {
    rows_by_tensors(row, student_CV, teacher_CV, total);
  }
}

}  // namespace alambic
