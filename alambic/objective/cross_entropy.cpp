#include "alambic/objective/cross_entropy.h"

#include <cmath>
#include <vector>

#include "alambic/base/error.h"
#include "alambic/objective/cross_entropy_cpu.h"
#include "alambic/objective/head_chunks.h"

namespace alambic {
namespace {

/// One number per row, cross-entropy and agreement, float64 on the logits' device.
struct Rows {
  Tensor cross_entropy_C;
  Tensor agreement_C;
};

Rows rows_on_cpu(const CrossEntropyRow& row, const Tensor& logits_CV, const Tensor& targets_C) {
  const int64_t count = logits_CV.size(0);
  const Rows rows{at::empty({count}, at::kDouble), at::empty({count}, at::kDouble)};
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

Rows rows_by_tensors(const CrossEntropyRow& row, const Tensor& logits_CV, const Tensor& targets_C) {
  const Tensor log_q = at::log_softmax(logits_CV / row.temperature, -1);
  const Tensor index_C1 = targets_C.unsqueeze(1);
  const Rows rows{-log_q.gather(1, index_C1).squeeze(1).to(at::kDouble),
                  (logits_CV.argmax(-1) == targets_C).to(at::kDouble)};
  if (row.gradient) {
    Tensor gradient = log_q.exp();
    gradient.scatter_(1, index_C1, at::expm1(log_q.gather(1, index_C1))).mul_(row.weight);
    if (row.softcap > 0) gradient.mul_(1 - (logits_CV / row.softcap).square());
    logits_CV.copy_(gradient);
  }
  return rows;
}

Rows visit_rows(const CrossEntropyRow& row, const Tensor& logits_CV, const Tensor& targets_C) {
  const bool kernel = logits_CV.is_cpu() && logits_CV.scalar_type() == at::kFloat;
  return kernel ? rows_on_cpu(row, logits_CV, targets_C)
                : rows_by_tensors(row, logits_CV, targets_C);
}

/// int64, contiguous, one per row and inside the vocabulary: the kernel trusts them.
Tensor checked_targets(const Tensor& hidden_MD, const Head& head, const Tensor& targets_M) {
  check(targets_M.dim() == 1 && targets_M.size(0) == hidden_MD.size(0),
        "{} targets for {} hidden states", targets_M.numel(), hidden_MD.size(0));
  const Tensor targets = targets_M.to(at::kLong).contiguous();
  if (targets.numel() > 0) {
    const auto low = targets.min().item<int64_t>(), high = targets.max().item<int64_t>();
    if (low < 0 || high >= head.vocabulary()) {
      throw input_error("a target token is {}, expected 0 to {}", low < 0 ? low : high,
                        head.vocabulary() - 1)
          .with_hint("the data were tokenized for a model with a larger vocabulary");
    }
  }
  return targets;
}

}  // namespace

Loss cross_entropy_loss(const Tensor& hidden_MD, const Head& head, const Tensor& targets_M,
                        double normalizer, const ChunkOptions& chunk) {
  check(normalizer > 0 && std::isfinite(normalizer), "normalizer {}", normalizer);
  const Tensor targets = checked_targets(hidden_MD, head, targets_M);
  HeadGradient gradient(hidden_MD, head);
  const at::NoGradGuard no_gradient;
  const int64_t graded = hidden_MD.size(0);
  const int64_t rows = chunk_rows(chunk, graded, head.vocabulary(), 1);
  const auto dtype = working_dtype(hidden_MD);
  HeadChunks chunks(hidden_MD, head, rows, dtype);
  const CrossEntropyRow row{.vocabulary = head.vocabulary(),
                            .temperature = 1,
                            .weight = 1 / normalizer,
                            .softcap = head.softcap,
                            .gradient = gradient.needed()};
  const Tensor total = at::zeros({2}, hidden_MD.options().dtype(at::kDouble).requires_grad(false));
  for_each_chunk(graded, rows, [&](int64_t begin, int64_t count) {
    const Tensor logits_CV = chunks.logits_CV(begin, count);
    const Rows result = visit_rows(row, logits_CV, targets.narrow(0, begin, count));
    total.add_(at::stack({result.cross_entropy_C.sum(), result.agreement_C.sum()}));
    if (row.gradient) gradient.add(chunks, begin, logits_CV);
  });

  const Tensor value = (total[0] / normalizer).to(dtype);
  const at::AutoGradMode with_gradient(row.gradient);
  return {
      .value = std::move(gradient).attach(value),
      .sums = {{"cross_entropy", total[0].item<double>()}, {"agreement", total[1].item<double>()}}};
}

Tensor target_log_probabilities(const Tensor& hidden_MD, const Head& head, const Tensor& targets_M,
                                double temperature, const ChunkOptions& chunk) {
  check(temperature > 0 && std::isfinite(temperature), "temperature {}", temperature);
  const Tensor targets = checked_targets(hidden_MD, head, targets_M);
  const at::NoGradGuard no_gradient;
  const int64_t graded = hidden_MD.size(0);
  const int64_t rows = chunk_rows(chunk, graded, head.vocabulary(), 1);
  HeadChunks chunks(hidden_MD, head, rows, working_dtype(hidden_MD));
  const CrossEntropyRow row{.vocabulary = head.vocabulary(),
                            .temperature = temperature,
                            .weight = 0,
                            .softcap = head.softcap,
                            .gradient = false};
  Tensor logp_M = at::empty({graded}, hidden_MD.options().dtype(at::kFloat).requires_grad(false));
  for_each_chunk(graded, rows, [&](int64_t begin, int64_t count) {
    const Rows result =
        visit_rows(row, chunks.logits_CV(begin, count), targets.narrow(0, begin, count));
    logp_M.narrow(0, begin, count).copy_(result.cross_entropy_C.neg());
  });
  return logp_M;
}

}  // namespace alambic
