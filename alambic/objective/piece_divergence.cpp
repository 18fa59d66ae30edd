#include "alambic/objective/piece_divergence.h"

#include "alambic/base/error.h"
#include "alambic/objective/divergence_rows.h"
#include "alambic/objective/piece_teachers.h"
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
      : needed_(!places.map.inner.empty()), student_(student) {}

  /// Of the places that follow those of the last call. Empty: all are 1.
  template <class Teacher>
  std::vector<double> of(int64_t begin, const Teacher& teacher, const Tensor& other_CB) {
    if (!needed_) return {};
    std::vector<double> weight_C;
    for (const double mass : teacher.written_C(begin, other_CB)) {
      if (student_.written_Z.at(begin + std::ssize(weight_C)) == 0) written_ = 1;
      weight_C.push_back(written_);
      written_ *= mass;
    }
    return weight_C;
  }

 private:
  const bool needed_;
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

/// What is asked of piece_sum.
struct PieceSum {
  const DivergenceRow& row;
  const Tensor& student_MD;
  const Head& student;
  const ChunkOptions& chunk;
  const PiecePlaces& places;
  const PieceTokens& mine;
  int64_t rows;  // of a chunk

  /// Sums of DivergenceSums over the places, and the loss.
  template <class Teacher>
  std::pair<Tensor, Tensor> beside(Teacher& teacher) const;
};

template <class Teacher>
std::pair<Tensor, Tensor> PieceSum::beside(Teacher& teacher) const {
  const TokenCells& cells = *places.map.cells;
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
    const Tensor cell_Z = tensor_of(places.cell_Z, student_MD);
    const CellTokens own_tokens(cells.student_V, cells.count);
    HeadChunks students(first_ZD, student, rows, dtype);
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
    for_each_chunk(Z, rows, [&](int64_t begin, int64_t count) {
      const auto part = [&](const Tensor& all_Z) { return all_Z.narrow(0, begin, count); };
      const Tensor student_CV = students.logits_CV(begin, count);
      const bool capped = gradient.needed() && student.softcap > 0;
      const Tensor cap_CV = capped ? 1 - (student_CV / student.softcap).square() : Tensor();
      if (T != 1) student_CV.div_(T);
      const Tensor own_CB = own_buffer.narrow(0, 0, count);
      const Tensor other_CB = other_buffer.narrow(0, 0, count);
      const BucketShares shares = write_buckets(
          own_tokens, student_CV, {part(mine.token_Z), part(own_rest_Z), part(cell_Z)}, own_CB);
      const MixedBuckets mixed =
          own_open.mix(begin, student_CV, part(mine.token_Z), part(own_rest_Z), own_CB);
      teacher.write(begin, own_CB, other_CB);
      InsideRows own_inside(mine, begin, count);
      own_inside.write_buckets(student_CV, other_CB, own_CB, teacher.known());
      const std::vector<double> weight_C = weights.of(begin, teacher, other_CB);
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
  Tensor value = std::move(gradient).attach((total[0] * row.weight).to(dtype));
  if (mine.rest_R.numel() > 0) {
    const Tensor none = at::zeros({}, float64.dtype(dtype));
    value =
        value + with_slopes(none, rest_RD, student, mine.rest,
                            at_tokens(slope_Z.index_select(0, mine.begin_Z), mine.rest), T, chunk);
  }
  return {total, value};
}

}  // namespace

Loss piece_sum(const DivergenceRow& row, const Tensor& student_MD, const Head& student,
               const Tensor& token_M, const AlignedStates& teacher, const ChunkOptions& chunk) {
  check(teacher.map.cells != nullptr, "pieces without cells");
  const TokenCells& cells = *teacher.map.cells;
  const PiecePlaces places(teacher.map);
  const PieceTokens mine = PieceTokens::of_student(places, token_M);
  const int64_t widest = std::max(student.vocabulary(), cells.count);
  const int64_t rows =
      chunk_rows(chunk, std::ssize(places.order_Z), widest, 4, student_MD.device());
  const PieceSum sum{row, student_MD, student, chunk, places, mine, rows};
  if (teacher.topk.logp_MK.defined()) {
    ListedPieceTeacher listed(places, teacher, mine);
    const auto [total, value] = sum.beside(listed);
    const std::vector<double> sums = doubles_of(total);
    return {.value = value,
            .sums = {{"topk_piece_reverse_kl", sums[1]},
                     {"topk_piece_forward_kl", sums[2]},
                     {"teacher_known_mass", listed.known_mass}}};
  }
  check(teacher.states.hidden_MD.defined(), "pieces of a teacher that gives one number a token");
  WholePieceTeacher whole(places, teacher, row.temperature, rows, working_dtype(student_MD), chunk);
  const auto [total, value] = sum.beside(whole);
  const std::vector<double> sums = doubles_of(total);
  return {
      .value = value,
      .sums = {
          {"piece_reverse_kl", sums[1]}, {"piece_forward_kl", sums[2]}, {"agreement", sums[5]}}};
}

}  // namespace alambic
