#include "alambic/objective/piece_divergence.h"

#include "alambic/base/error.h"
#include "alambic/objective/divergence_rows.h"
#include "alambic/objective/head_chunks.h"
#include "alambic/objective/row_padding.h"
#include "alambic/objective/span_targets.h"

namespace alambic {

namespace {

/// A bucket that underflowed in one model only is large in logarithms, not infinite; one that
/// neither model has is the same in both.
constexpr double kLeastMass = 0x1p-115;

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

/// Some spans of one side in buckets: the cells, and one for the span itself.
struct Buckets {
  Tensor mass_CB;
  Tensor sum_C1;    // what the exponentials are to be divided by
  Tensor first_C1;  // probability of the first token
  Tensor whole_C1;  // share of it that goes on as the span
  Tensor from_C1, to_C1;

  /// Turns logits into exponentials in place, with 0 at the first tokens.
  Buckets(const Tensor& logits_CV, double T, const Tensor& cell_V, int64_t cells,
          const Tensor& token_C, const Tensor& rest_logp_C, const Tensor& span_cell_C) {
    const auto dtype = logits_CV.scalar_type();
    const Tensor token_C1 = token_C.unsqueeze(1);
    logits_CV.sub_(logits_CV.amax(-1, true));
    if (T != 1) logits_CV.div_(T);
    sum_C1 = logits_CV.exp_().sum(-1, true, at::kDouble).to(dtype);
    first_C1 = logits_CV.gather(1, token_C1) / sum_C1;
    logits_CV.scatter_(1, token_C1, 0);
    whole_C1 = rest_logp_C.exp().to(dtype).unsqueeze(1);
    from_C1 = cell_V.index_select(0, token_C).unsqueeze(1);
    to_C1 = span_cell_C.where(span_cell_C >= 0, cells).unsqueeze(1);
    mass_CB = at::zeros({logits_CV.size(0), cells + 1}, logits_CV.options());
    mass_CB.scatter_add_(1, cell_V.unsqueeze(0).expand_as(logits_CV), logits_CV).div_(sum_C1);
    // The rest of the first token's mass by −expm1, never by a subtraction.
    const Tensor other_C1 = (-at::expm1(rest_logp_C)).to(dtype).unsqueeze(1);
    mass_CB.scatter_add_(1, from_C1, first_C1 * other_C1);
    mass_CB.scatter_add_(1, to_C1, first_C1 * whole_C1);
    mass_CB.clamp_min_(kLeastMass);
  }

  /// Their logarithms in a buffer of the row kernels: logits of the same distribution.
  Tensor logits_CB(const Tensor& buffer) const {
    return buffer.narrow(0, 0, mass_CB.size(0)).copy_(mass_CB).log_();
  }
};

/// Gradient with regard to the logits of the first tokens, over the exponentials that Buckets left;
/// gradient_CB is that with regard to the buckets' logits. Returns the one with regard to the
/// log-probability of the rest of the spans.
Tensor write_gradient(const Buckets& mine, const Tensor& gradient_CB, const Tensor& cell_V,
                      const Tensor& token_C, double weight, const Tensor& student_CV) {
  const Tensor x_CB = gradient_CB / mine.mass_CB;
  const Tensor to_C1 = x_CB.gather(1, mine.to_C1), from_C1 = x_CB.gather(1, mine.from_C1);
  student_CV.mul_(x_CB.index_select(1, cell_V)).mul_(weight / mine.sum_C1);
  const Tensor first_C1 = mine.first_C1 * (from_C1 + mine.whole_C1 * (to_C1 - from_C1));
  student_CV.scatter_(1, token_C.unsqueeze(1), weight * first_C1);
  return (mine.first_C1 * mine.whole_C1 * (to_C1 - from_C1)).squeeze(1).to(at::kDouble);
}

}  // namespace

Loss piece_sum(const DivergenceRow& row, const Tensor& student_MD, const Head& student,
               const Tensor& token_M, const AlignedStates& teacher, const ChunkOptions& chunk) {
  check(teacher.map.cells != nullptr, "pieces without cells");
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
    for_each_chunk(K, rows, [&](int64_t begin, int64_t count) {
      const auto part = [&](const Tensor& all_K) { return all_K.narrow(0, begin, count); };
      const Tensor student_CV = students.logits_CV(begin, count);
      const bool capped = gradient.needed() && student.softcap > 0;
      const Tensor cap_CV = capped ? 1 - (student_CV / student.softcap).square() : Tensor();
      const Tensor cell_C = part(teacher.map.cell_K);
      const Buckets p(teachers.logits_CV(begin, count), T, cells.teacher_V, cells.count,
                      part(other.token_K), part(other_rest_K), cell_C);
      const Buckets q(student_CV, T, cells.student_V, cells.count, part(mine.token_K),
                      part(own_rest_K), cell_C);
      const Tensor gradient_CB = q.logits_CB(own_buffer);
      divergence_rows(buckets, gradient_CB, p.logits_CB(other_buffer), total);
      if (!buckets.gradient) return;
      const Tensor slope_C = write_gradient(q, gradient_CB, cells.student_V, part(mine.token_K),
                                            row.weight, student_CV);
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
