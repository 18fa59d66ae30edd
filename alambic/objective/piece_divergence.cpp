#include "alambic/objective/piece_divergence.h"

#include "alambic/base/error.h"
#include "alambic/objective/divergence_rows.h"
#include "alambic/objective/head_chunks.h"
#include "alambic/objective/inside_tokens.h"
#include "alambic/objective/open_tokens.h"
#include "alambic/objective/piece_buckets.h"
#include "alambic/objective/row_padding.h"
#include "alambic/objective/tensor_numbers.h"

namespace alambic {

namespace {

/// Rows as the row kernels want them, with room for `width` numbers each.
Tensor row_buffer(int64_t rows, int64_t width, const at::TensorOptions& options) {
  return at::empty({rows, padded_row(width)}, options).narrow(1, 0, width);
}

/// Weights of the places: inside of the student's token the teacher's probability of the cells that
/// it has written so far, since the token was chosen at once; else 1. So what the teacher would say
/// behind a wrong first digit counts for as little as the digit: with the forward KL the places of
/// a token are together that of a partition in which its cells are split.
class InnerWeights {
 public:
  InnerWeights(const PiecePlaces& places, const PieceTokens& student)
      : places_(places), student_(student) {}

  /// Of the places that follow those of the last call. `other_CB`: the teacher's logits. Empty: all
  /// are 1.
  std::vector<double> of(int64_t begin, const Tensor& other_CB) {
    if (places_.map.inner.empty()) return {};
    const auto first = places_.cell_Z.begin() + begin;
    std::vector<int64_t> cell_C(first, first + other_CB.size(0));
    for (int64_t& cell : cell_C) cell = cell < 0 ? other_CB.size(1) - 1 : cell;
    const Tensor logit_C1 = other_CB.gather(1, tensor_of(cell_C, other_CB).unsqueeze(1));
    const std::vector<double> mass_C = doubles_of((logit_C1 - other_CB.logsumexp(1, true)).exp());
    std::vector<double> weight_C;
    for (size_t c = 0; c < mass_C.size(); ++c) {
      if (student_.written_Z.at(begin + c) == 0) written_ = 1;
      weight_C.push_back(written_);
      written_ *= mass_C[c];
    }
    return weight_C;
  }

 private:
  const PiecePlaces& places_;
  const PieceTokens& student_;
  double written_ = 1;
};

/// divergence_rows with a weight for each row.
void weighted_rows(const DivergenceRow& row, const std::vector<double>& weight_C,
                   const Tensor& own_CB, const Tensor& other_CB, const Tensor& total) {
  if (weight_C.empty()) return divergence_rows(row, own_CB, other_CB, total);
  for (int64_t begin = 0, end = 0; begin < std::ssize(weight_C); begin = end) {
    while (end < std::ssize(weight_C) && weight_C[end] == weight_C[begin]) ++end;
    const Tensor own = own_CB.narrow(0, begin, end - begin);
    const Tensor sums = at::zeros_like(total);
    divergence_rows(row, own, other_CB.narrow(0, begin, end - begin), sums);
    total.add_(sums, weight_C[begin]);
    if (row.gradient) own.mul_(weight_C[begin]);
  }
}

}  // namespace

Loss piece_sum(const DivergenceRow& row, const Tensor& student_MD, const Head& student,
               const Tensor& token_M, const AlignedStates& teacher, const ChunkOptions& chunk) {
  check(teacher.map.cells != nullptr, "pieces without cells");
  check(teacher.states.hidden_MD.defined(), "pieces of a teacher that gives one number a token");
  const TokenCells& cells = *teacher.map.cells;
  const PiecePlaces places(teacher.map);
  const PieceTokens mine = PieceTokens::of_student(places, token_M);
  const PieceTokens other = PieceTokens::of_teacher(places);
  const Head& teacher_head = teacher.states.head;
  const double T = row.temperature;
  const Tensor first_ZD = student_MD.index_select(0, mine.row_Z);
  const Tensor rest_RD = student_MD.index_select(0, mine.rest_R);
  HeadGradient gradient(first_ZD, student);
  const auto dtype = working_dtype(student_MD);
  const int64_t Z = first_ZD.size(0);
  const auto float64 = student_MD.options().dtype(at::kDouble).requires_grad(false);
  const Tensor total = at::zeros({6}, float64), slope_Z = at::zeros({Z}, float64);
  {
    const at::NoGradGuard no_gradient;
    const Tensor own_rest_Z = mine.rest_logp_Z(student_MD, student, T, chunk);
    const Tensor other_rest_Z = other.rest_logp_Z(teacher.states.hidden_MD, teacher_head, T, chunk);
    const Tensor cell_Z = tensor_of(places.cell_Z, student_MD);
    const CellTokens own_tokens(cells.student_V, cells.count);
    const CellTokens other_tokens(cells.teacher_V, cells.count);
    const int64_t rows =
        chunk_rows(chunk, Z, std::max(student.vocabulary(), cells.count), 4, student_MD.device());
    HeadChunks students(first_ZD, student, rows, dtype);
    HeadChunks teachers(teacher.states.hidden_MD.index_select(0, other.row_Z), teacher_head, rows,
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
    InnerWeights weights(places, mine);
    OpenTokens own_open(places, mine.paths, mine.written_Z);
    OpenTokens other_open(places, other.paths, other.written_Z);
    for_each_chunk(Z, rows, [&](int64_t begin, int64_t count) {
      const auto part = [&](const Tensor& all_Z) { return all_Z.narrow(0, begin, count); };
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
      const Tensor cell_C = part(cell_Z);
      write_buckets(other_tokens, teacher_CV, {part(other.token_Z), part(other_rest_Z), cell_C},
                    other_CB);
      other_open.mix(begin, teacher_CV, part(other.token_Z), part(other_rest_Z), other_CB);
      const BucketShares shares = write_buckets(
          own_tokens, student_CV, {part(mine.token_Z), part(own_rest_Z), cell_C}, own_CB);
      const MixedBuckets mixed =
          own_open.mix(begin, student_CV, part(mine.token_Z), part(own_rest_Z), own_CB);
      InsideRows own_inside(mine, begin, count), other_inside(other, begin, count);
      own_inside.write_buckets(student_CV, other_CB, own_CB);
      other_inside.write_buckets(teacher_CV, own_CB, other_CB);
      const std::vector<double> weight_C = weights.of(begin, other_CB);
      weighted_rows(buckets, weight_C, own_CB, other_CB, total);
      if (!buckets.gradient) return;
      std::pair<Tensor, Tensor> rows_of_mixed;
      if (mixed.row_n.defined()) rows_of_mixed = mixed.split(own_CB, student_CV);
      const Tensor slope_C = write_gradient(own_tokens, shares, own_CB, student_CV);
      own_inside.write_gradient(own_CB, student_CV);
      if (mixed.row_n.defined()) {
        student_CV.index_add_(0, rows_of_mixed.second, rows_of_mixed.first);
      }
      student_CV.mul_(row.weight);
      if (capped) student_CV.mul_(cap_CV);
      gradient.add(students, begin, student_CV);
      part(slope_Z).copy_(slope_C * (row.weight * T));
    });
  }
  const Tensor numbers = total.cpu();
  const auto* sums = numbers.const_data_ptr<double>();
  Tensor value = std::move(gradient).attach((total[0] * row.weight).to(dtype));
  if (mine.rest_R.numel() > 0) {
    const Tensor none = at::zeros({}, float64.dtype(dtype));
    value =
        value + with_slopes(none, rest_RD, student, mine.rest,
                            at_tokens(slope_Z.index_select(0, mine.begin_Z), mine.rest), T, chunk);
  }
  return {
      .value = value,
      .sums = {
          {"piece_reverse_kl", sums[1]}, {"piece_forward_kl", sums[2]}, {"agreement", sums[5]}}};
}

}  // namespace alambic
