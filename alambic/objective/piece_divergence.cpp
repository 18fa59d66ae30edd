#include "alambic/objective/piece_divergence.h"

#include "alambic/base/error.h"
#include "alambic/objective/divergence_rows.h"
#include "alambic/objective/head_chunks.h"
#include "alambic/objective/open_tokens.h"
#include "alambic/objective/piece_buckets.h"
#include "alambic/objective/row_padding.h"
#include "alambic/objective/span_targets.h"

namespace alambic {

namespace {

/// One model's tokens: the first of every span, and those behind it.
struct Pieces {
  Tensor first_K, rest_R;  // their rows
  Tensor token_K;
  SpanTargets rest;

  explicit Pieces(const SpanTargets& targets) {
    const Tensor in_span = targets.span_M >= 0;
    Tensor begins = in_span.clone();
    const int64_t later = targets.span_M.size(0) - 1;
    if (later > 0) {
      begins.narrow(0, 1, later)
          .logical_and_(targets.span_M.narrow(0, 1, later) != targets.span_M.narrow(0, 0, later));
    }
    first_K = begins.nonzero().squeeze(1);
    rest_R = in_span.logical_and(begins.logical_not()).nonzero().squeeze(1);
    token_K = targets.token_M.index_select(0, first_K);
    rest = {.token_M = targets.token_M.index_select(0, rest_R),
            .span_M = targets.span_M.index_select(0, rest_R),
            .end_M = targets.end_M.index_select(0, rest_R),
            .ends = {},
            .spans = targets.spans};
    check(first_K.numel() == targets.spans, "{} beginnings of {} spans", first_K.numel(),
          targets.spans);
  }

  /// log-probability of all but the first token, float64 [K].
  Tensor rest_logp_K(const Tensor& hidden_MD, const Head& head, double T,
                     const ChunkOptions& chunk) const {
    const Tensor hidden_RD = hidden_MD.detach().index_select(0, rest_R);
    return span_sums(log_probabilities(hidden_RD, head, rest, T, chunk), rest);
  }
};

/// Rows as the row kernels want them, with room for `width` numbers each.
Tensor row_buffer(int64_t rows, int64_t width, const at::TensorOptions& options) {
  return at::empty({rows, padded_row(width)}, options).narrow(1, 0, width);
}

}  // namespace

Loss piece_sum(const DivergenceRow& row, const Tensor& student_MD, const Head& student,
               const Tensor& token_M, const AlignedStates& teacher, const ChunkOptions& chunk) {
  check(teacher.map.cells != nullptr, "pieces without cells");
  check(teacher.states.hidden_MD.defined(), "pieces of a teacher that gives one number a token");
  const TokenCells& cells = *teacher.map.cells;
  const Pieces mine(student_targets(teacher.map, token_M)), other(teacher_targets(teacher.map));
  const Head& teacher_head = teacher.states.head;
  const double T = row.temperature;
  const Tensor first_KD = student_MD.index_select(0, mine.first_K);
  const Tensor rest_RD = student_MD.index_select(0, mine.rest_R);
  HeadGradient gradient(first_KD, student);
  const auto dtype = working_dtype(student_MD);
  const int64_t K = first_KD.size(0);
  const auto float64 = student_MD.options().dtype(at::kDouble).requires_grad(false);
  const Tensor total = at::zeros({6}, float64), slope_K = at::zeros({K}, float64);
  {
    const at::NoGradGuard no_gradient;
    const Tensor own_rest_K = mine.rest_logp_K(student_MD, student, T, chunk);
    const Tensor other_rest_K = other.rest_logp_K(teacher.states.hidden_MD, teacher_head, T, chunk);
    const CellTokens own_tokens(cells.student_V, cells.count);
    const CellTokens other_tokens(cells.teacher_V, cells.count);
    const int64_t rows =
        chunk_rows(chunk, K, std::max(student.vocabulary(), cells.count), 4, student_MD.device());
    HeadChunks students(first_KD, student, rows, dtype);
    HeadChunks teachers(teacher.states.hidden_MD.index_select(0, other.first_K), teacher_head, rows,
                        dtype);
    const auto plain = student_MD.options().dtype(dtype).requires_grad(false);
    const Tensor own_buffer = row_buffer(rows, cells.count + 1, plain);
    const Tensor other_buffer = row_buffer(rows, cells.count + 1, plain);
    // The buckets' masses are at the temperature already.
    const DivergenceRow buckets{.vocabulary = cells.count + 1,
                                .terms = row.terms,
                                .temperature = 1,
                                .weight = 1,
                                .softcap = 0,
                                .gradient = gradient.needed()};
    OpenTokens own_open(teacher.map, cells.student_paths);
    OpenTokens other_open(teacher.map, cells.teacher_paths);
    for_each_chunk(K, rows, [&](int64_t begin, int64_t count) {
      const auto part = [&](const Tensor& all_K) { return all_K.narrow(0, begin, count); };
      const Tensor student_CV = students.logits_CV(begin, count);
      const bool capped = gradient.needed() && student.softcap > 0;
      const Tensor cap_CV = capped ? 1 - (student_CV / student.softcap).square() : Tensor();
      const Tensor teacher_CV = teachers.logits_CV(begin, count);
      if (T != 1) {
        student_CV.div_(T);
        teacher_CV.div_(T);
      }
      const Tensor own_CB = own_buffer.narrow(0, 0, count);
      const Tensor other_CB = other_buffer.narrow(0, 0, count);
      const Tensor cell_C = part(teacher.map.cell_K);
      write_buckets(other_tokens, teacher_CV, {part(other.token_K), part(other_rest_K), cell_C},
                    other_CB);
      other_open.mix(begin, teacher_CV, part(other.token_K), part(other_rest_K), other_CB);
      const BucketShares shares = write_buckets(
          own_tokens, student_CV, {part(mine.token_K), part(own_rest_K), cell_C}, own_CB);
      const MixedBuckets mixed =
          own_open.mix(begin, student_CV, part(mine.token_K), part(own_rest_K), own_CB);
      divergence_rows(buckets, own_CB, other_CB, total);
      if (!buckets.gradient) return;
      std::pair<Tensor, Tensor> rows_of_mixed;
      if (mixed.row_n.defined()) rows_of_mixed = mixed.split(own_CB, student_CV);
      const Tensor slope_C = write_gradient(own_tokens, shares, own_CB, student_CV);
      if (mixed.row_n.defined()) {
        student_CV.index_add_(0, rows_of_mixed.second, rows_of_mixed.first);
      }
      student_CV.mul_(row.weight);
      if (capped) student_CV.mul_(cap_CV);
      gradient.add(students, begin, student_CV);
      part(slope_K).copy_(slope_C * (row.weight * T));
    });
  }
  const Tensor numbers = total.cpu();
  const auto* sums = numbers.const_data_ptr<double>();
  Tensor value = std::move(gradient).attach((total[0] * row.weight).to(dtype));
  if (mine.rest_R.numel() > 0) {
    const Tensor none = at::zeros({}, float64.dtype(dtype));
    value = value +
            with_slopes(none, rest_RD, student, mine.rest, at_tokens(slope_K, mine.rest), T, chunk);
  }
  return {
      .value = value,
      .sums = {
          {"piece_reverse_kl", sums[1]}, {"piece_forward_kl", sums[2]}, {"agreement", sums[5]}}};
}

}  // namespace alambic
