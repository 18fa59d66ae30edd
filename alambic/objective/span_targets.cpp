#include "alambic/objective/span_targets.h"

#include "alambic/base/error.h"
#include "alambic/objective/cross_entropy_rows.h"
#include "alambic/objective/head_chunks.h"

namespace alambic {

namespace {

Tensor ends_of(const SpanTargets& targets) {
  return at::tensor(targets.ends, at::kLong).to(targets.token_M.device());
}

// Where the ends are more than the one that was drawn.
Tensor rows_of_ends(const SpanTargets& targets) {
  if (targets.ends.size() < 2) return at::empty({0}, targets.token_M.options());
  return targets.end_M.nonzero().squeeze(1);
}

CrossEntropyRow row_of(const Head& head, double temperature, bool gradient) {
  return {.vocabulary = head.vocabulary(),
          .temperature = temperature,
          .weight = 1,
          .softcap = head.softcap,
          .gradient = gradient};
}

// The gradient −∇ log q(token) of the rows becomes −∇ log Σ q(ends) where a token is an end.
// share_CE: softmax over the ends' logits; cap_CE: the soft-cap's derivative there, or undefined.
void spread_over_ends(const Tensor& gradient_CV, const Tensor& token_C, const Tensor& end_C,
                      const Tensor& ends_E, const Tensor& share_CE, const Tensor& cap_CE) {
  const Tensor drawn_CE = (token_C.unsqueeze(1) == ends_E).to(share_CE.scalar_type());
  Tensor moved_CE = (drawn_CE - share_CE) * end_C.unsqueeze(1).to(share_CE.scalar_type());
  if (cap_CE.defined()) moved_CE = moved_CE * cap_CE;
  gradient_CV.index_add_(1, ends_E, moved_CE);
}

}  // namespace

SpanTargets teacher_targets(const SpanMap& map) {
  return {map.token_L, map.span_L, map.end_L, map.teacher_ends, map.spans()};
}

SpanTargets student_targets(const SpanMap& map, const Tensor& token_M) {
  return {token_M, map.span_M, map.end_M, map.student_ends, map.spans()};
}

Tensor log_share_of_ends(const Tensor& hidden_MD, const Head& head, const SpanTargets& targets,
                         double temperature) {
  const at::NoGradGuard no_gradient;
  Tensor share_M = at::zeros({hidden_MD.size(0)}, hidden_MD.options().dtype(at::kDouble));
  const Tensor row_E = rows_of_ends(targets);
  if (row_E.numel() == 0) return share_M;
  const auto dtype = working_dtype(hidden_MD);
  const Tensor hidden_ED = hidden_MD.detach().index_select(0, row_E);
  const Tensor token_E = targets.token_M.index_select(0, row_E), ends = ends_of(targets);
  const int64_t rows = chunk_rows({}, row_E.numel(), head.vocabulary(), 1, row_E.device());
  HeadChunks chunks(hidden_ED, head, rows, dtype);
  for_each_chunk(row_E.numel(), rows, [&](int64_t begin, int64_t count) {
    const Tensor logits_CV = chunks.logits_CV(begin, count);
    const Tensor all_C =
        logits_CV.index_select(1, ends).to(at::kDouble).div(temperature).logsumexp(1);
    const Tensor own_C = logits_CV.gather(1, token_E.narrow(0, begin, count).unsqueeze(1))
                             .squeeze(1)
                             .to(at::kDouble)
                             .div(temperature);
    share_M.index_put_({row_E.narrow(0, begin, count)}, all_C - own_C);
  });
  return share_M;
}

Tensor log_probabilities(const Tensor& hidden_MD, const Head& head, const SpanTargets& targets,
                         double temperature, const ChunkOptions& chunk) {
  check(temperature > 0, "temperature {}", temperature);
  const at::NoGradGuard no_gradient;
  const Tensor token_M = checked_targets(hidden_MD, head, targets.token_M);
  const int64_t graded = hidden_MD.size(0);
  const int64_t rows = chunk_rows(chunk, graded, head.vocabulary(), 1, hidden_MD.device());
  HeadChunks chunks(hidden_MD, head, rows, working_dtype(hidden_MD));
  const CrossEntropyRow row = row_of(head, temperature, false);
  Tensor logp_M = log_share_of_ends(hidden_MD, head, targets, temperature);
  for_each_chunk(graded, rows, [&](int64_t begin, int64_t count) {
    const CrossEntropyRows found =
        cross_entropy_rows(row, chunks.logits_CV(begin, count), token_M.narrow(0, begin, count));
    logp_M.narrow(0, begin, count).sub_(found.cross_entropy_C);
  });
  return logp_M;
}

Tensor span_sums(const Tensor& value_M, const SpanTargets& targets) {
  // One more place takes the tokens in no span.
  const Tensor sum_K = at::zeros({targets.spans + 1}, value_M.options().dtype(at::kDouble));
  const Tensor place_M = targets.span_M.where(targets.span_M >= 0, targets.spans);
  return sum_K.index_add(0, place_M, value_M.to(at::kDouble)).narrow(0, 0, targets.spans);
}

Tensor teacher_logp_K(const AlignedStates& teacher, double temperature, const ChunkOptions& chunk) {
  const SpanTargets targets = teacher_targets(teacher.map);
  if (teacher.logp_L.defined()) return span_sums(teacher.logp_L, targets);
  const HiddenStates& states = teacher.states;
  return span_sums(log_probabilities(states.hidden_MD, states.head, targets, temperature, chunk),
                   targets);
}

Tensor at_tokens(const Tensor& value_K, const SpanTargets& targets) {
  const Tensor padded = at::cat({value_K, at::zeros({1}, value_K.options())});
  const Tensor place_M = targets.span_M.where(targets.span_M >= 0, targets.spans);
  return padded.index_select(0, place_M);
}

Tensor with_slopes(const Tensor& value, const Tensor& hidden_MD, const Head& head,
                   const SpanTargets& targets, const Tensor& slope_M, double temperature,
                   const ChunkOptions& chunk) {
  HeadGradient gradient(hidden_MD, head);
  if (!gradient.needed()) return value;
  const Tensor token_M = checked_targets(hidden_MD, head, targets.token_M);
  {
    const at::NoGradGuard no_gradient;
    const int64_t graded = hidden_MD.size(0);
    const int64_t rows = chunk_rows(chunk, graded, head.vocabulary(), 1, hidden_MD.device());
    HeadChunks chunks(hidden_MD, head, rows, working_dtype(hidden_MD));
    const CrossEntropyRow row = row_of(head, temperature, true);
    const bool several = rows_of_ends(targets).numel() > 0;
    const Tensor ends_E = ends_of(targets);
    for_each_chunk(graded, rows, [&](int64_t begin, int64_t count) {
      const Tensor logits_CV = chunks.logits_CV(begin, count);
      const Tensor token_C = token_M.narrow(0, begin, count);
      Tensor share_CE, cap_CE;
      if (several) {
        const Tensor logits_CE = logits_CV.index_select(1, ends_E);
        share_CE = at::log_softmax(logits_CE / temperature, 1).exp();
        if (head.softcap > 0) cap_CE = 1 - (logits_CE / head.softcap).square();
      }
      cross_entropy_rows(row, logits_CV, token_C);
      if (several) {
        spread_over_ends(logits_CV, token_C, targets.end_M.narrow(0, begin, count), ends_E,
                         share_CE, cap_CE);
      }
      // The rows hold q − 1_token.
      const Tensor scale_C = slope_M.narrow(0, begin, count) / -temperature;
      logits_CV.mul_(scale_C.to(logits_CV.scalar_type()).unsqueeze(1));
      gradient.add(chunks, begin, logits_CV);
    });
  }
  return std::move(gradient).attach(value);
}

}  // namespace alambic
