#include "alambic/objective/cross_entropy_rows.h"

#include "alambic/base/error.h"
#include "alambic/objective/device_row_kernels.h"

namespace alambic {
namespace {

CrossEntropyRows rows_on_cpu(const CrossEntropyRow& row, const Tensor& logits_CV,
                             const Tensor& targets_C) {
  const int64_t count = logits_CV.size(0);
  const CrossEntropyRows rows{at::empty({count}, at::kDouble), at::empty({count}, at::kDouble)};
  float* logits = logits_CV.data_ptr<float>();
  const int64_t stride = logits_CV.stride(0);
  const auto* targets = targets_C.const_data_ptr<int64_t>();
  auto* cross_entropy = rows.cross_entropy_C.data_ptr<double>();
  auto* agreement = rows.agreement_C.data_ptr<double>();
  at::parallel_for(0, count, 1, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const CrossEntropySums sums = cross_entropy_row(row, targets[r], logits + r * stride);
      cross_entropy[r] = sums.cross_entropy;
      agreement[r] = sums.agreement;
    }
  });
  return rows;
}

CrossEntropyRows rows_by_tensors(const CrossEntropyRow& row, const Tensor& logits_CV,
                                 const Tensor& targets_C) {
  const Tensor log_q = at::log_softmax(logits_CV / row.temperature, -1);
  const Tensor index_C1 = targets_C.unsqueeze(1);
  const CrossEntropyRows rows{-log_q.gather(1, index_C1).squeeze(1).to(at::kDouble),
                              (logits_CV.argmax(-1) == targets_C).to(at::kDouble)};
  if (row.gradient) {
    Tensor gradient = log_q.exp();
    gradient.scatter_(1, index_C1, at::expm1(log_q.gather(1, index_C1))).mul_(row.weight);
    if (row.softcap > 0) gradient.mul_(1 - (logits_CV / row.softcap).square());
    logits_CV.copy_(gradient);
  }
  return rows;
}

CrossEntropyRows rows_on_device(const DeviceRows& kernels, const CrossEntropyRow& row,
                                const Tensor& logits_CV, const Tensor& targets_C) {
  const kernels::DeviceCall call = kernels::call_for(logits_CV);
  const auto numbers = logits_CV.options().dtype(at::kDouble);
  const int64_t count = logits_CV.size(0);
  const CrossEntropyRows rows{at::empty({count}, numbers), at::empty({count}, numbers)};
  call.run(kernels.cross_entropy, {.logits = call.at<float>(logits_CV),
                                   .targets = call.at<int64_t>(targets_C),
                                   .rows = count,
                                   .vocabulary = row.vocabulary,
                                   .stride = logits_CV.stride(0),
                                   .temperature = row.temperature,
                                   .weight = row.weight,
                                   .softcap = row.softcap,
                                   .gradient = row.gradient,
                                   .cross_entropy = call.at<double>(rows.cross_entropy_C),
                                   .agreement = call.at<double>(rows.agreement_C)});
  return rows;
}

}  // namespace

CrossEntropyRows cross_entropy_rows(const CrossEntropyRow& row, const Tensor& logits_CV,
                                    const Tensor& targets_C) {
  if (logits_CV.scalar_type() == at::kFloat && logits_CV.is_cpu()) {
    return rows_on_cpu(row, logits_CV, targets_C);
  }
  const DeviceRows* kernels = device_rows_of(logits_CV, logits_CV);
  if (kernels != nullptr && targets_C.is_contiguous()) {
    return rows_on_device(*kernels, row, logits_CV, targets_C);
  }
  return rows_by_tensors(row, logits_CV, targets_C);
}

Tensor checked_targets(const Tensor& hidden_MD, const Head& head, const Tensor& targets_M) {
  check(targets_M.dim() == 1 && targets_M.size(0) == hidden_MD.size(0),
        "{} targets for {} hidden states", targets_M.numel(), hidden_MD.size(0));
  const Tensor targets = targets_M.to(at::kLong).contiguous();
  if (targets.numel() > 0) {
    const Tensor ends = at::stack({targets.min(), targets.max()}).cpu();  // one read of a device
    const int64_t low = ends.const_data_ptr<int64_t>()[0], high = ends.const_data_ptr<int64_t>()[1];
    if (low < 0 || high >= head.vocabulary()) {
      throw input_error("a target token is {}, expected 0 to {}", low < 0 ? low : high,
                        head.vocabulary() - 1)
          .with_hint("the data were tokenized for a model with a larger vocabulary");
    }
  }
  return targets;
}

}  // namespace alambic
