#include "alambic/objective/cross_entropy.h"

#include <cmath>

#include "alambic/base/error.h"
#include "alambic/objective/cross_entropy_rows.h"
#include "alambic/objective/head_chunks.h"

namespace alambic {

Loss cross_entropy_loss(const Tensor& hidden_MD, const Head& head, const Tensor& targets_M,
                        double normalizer, const ChunkOptions& chunk) {
  check(normalizer > 0 && std::isfinite(normalizer), "normalizer {}", normalizer);
  const Tensor targets = checked_targets(hidden_MD, head, targets_M);
  HeadGradient gradient(hidden_MD, head);
  const at::NoGradGuard no_gradient;
  const int64_t graded = hidden_MD.size(0);
  const int64_t rows = chunk_rows(chunk, graded, head.vocabulary(), 1, hidden_MD.device());
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
    const CrossEntropyRows result =
        cross_entropy_rows(row, logits_CV, targets.narrow(0, begin, count));
    total.add_(at::stack({result.cross_entropy_C.sum(), result.agreement_C.sum()}));
    if (row.gradient) gradient.add(chunks, begin, logits_CV);
  });

  const Tensor numbers = total.cpu();
  const auto* sums = numbers.const_data_ptr<double>();
  const Tensor value = (total[0] / normalizer).to(dtype);
  const at::AutoGradMode with_gradient(row.gradient);
  return {.value = std::move(gradient).attach(value),
          .sums = {{"cross_entropy", sums[0]}, {"agreement", sums[1]}}};
}

Tensor target_log_probabilities(const Tensor& hidden_MD, const Head& head, const Tensor& targets_M,
                                double temperature, const ChunkOptions& chunk) {
  check(temperature > 0 && std::isfinite(temperature), "temperature {}", temperature);
  const Tensor targets = checked_targets(hidden_MD, head, targets_M);
  const at::NoGradGuard no_gradient;
  const int64_t graded = hidden_MD.size(0);
  const int64_t rows = chunk_rows(chunk, graded, head.vocabulary(), 1, hidden_MD.device());
  HeadChunks chunks(hidden_MD, head, rows, working_dtype(hidden_MD));
  const CrossEntropyRow row{.vocabulary = head.vocabulary(),
                            .temperature = temperature,
                            .weight = 0,
                            .softcap = head.softcap,
                            .gradient = false};
  Tensor logp_M = at::empty({graded}, hidden_MD.options().dtype(at::kFloat).requires_grad(false));
  for_each_chunk(graded, rows, [&](int64_t begin, int64_t count) {
    const CrossEntropyRows result =
        cross_entropy_rows(row, chunks.logits_CV(begin, count), targets.narrow(0, begin, count));
    logp_M.narrow(0, begin, count).copy_(result.cross_entropy_C.neg());
  });
  return logp_M;
}

}  // namespace alambic
