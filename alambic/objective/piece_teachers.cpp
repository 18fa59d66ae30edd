#include "alambic/objective/piece_teachers.h"

#include <algorithm>
#include <cmath>

#include "alambic/objective/tensor_numbers.h"

namespace alambic {

namespace {

constexpr double kLeastListed = 0x1p-115;  // as in piece_buckets.cpp: against infinities

/// Masses of the rows' buckets of a list, and of all others together.
struct RowMasses {
  std::vector<double> listed_b, others_C, log_sum_C;

  // `scratch_CB` is written.
  RowMasses(const Tensor& own_CB, const Tensor& place, const Tensor& cell,
            const Tensor& scratch_CB) {
    const Tensor log_sum_C1 = own_CB.logsumexp(1, true);
    log_sum_C = doubles_of(log_sum_C1);
    listed_b = doubles_of(
        (own_CB.index({place, cell}) - log_sum_C1.squeeze(1).index_select(0, place)).exp());
    scratch_CB.copy_(own_CB);
    scratch_CB.index_put_({place, cell}, at::full({}, -INFINITY, scratch_CB.options()));
    others_C = doubles_of((scratch_CB.logsumexp(1, true) - log_sum_C1).exp());
  }
};

}  // namespace

WholePieceTeacher::WholePieceTeacher(const PiecePlaces& places, const AlignedStates& teacher,
                                     double temperature, int64_t rows, at::ScalarType dtype,
                                     const ChunkOptions& chunk)
    : places(places),
      temperature(temperature),
      tokens(PieceTokens::of_teacher(places)),
      of_cells(places.map.cells->teacher_V, places.map.cells->count),
      chunks(teacher.states.hidden_MD.index_select(0, tokens.row_Z), teacher.states.head, rows,
             dtype),
      rest_Z(tokens.rest_logp_Z(teacher.states.hidden_MD, teacher.states.head, temperature, chunk)),
      cell_Z(tensor_of(places.cell_Z, rest_Z)),
      open(places, tokens.paths, tokens.written_Z) {}

void WholePieceTeacher::write(int64_t begin, const Tensor& own_CB, const Tensor& other_CB) {
  const int64_t count = other_CB.size(0);
  const auto part = [&](const Tensor& all_Z) { return all_Z.narrow(0, begin, count); };
  const Tensor logits_CV = chunks.logits_CV(begin, count);
  if (temperature != 1) logits_CV.div_(temperature);
  write_buckets(of_cells, logits_CV, {part(tokens.token_Z), part(rest_Z), part(cell_Z)}, other_CB);
  open.mix(begin, logits_CV, part(tokens.token_Z), part(rest_Z), other_CB);
  InsideRows(tokens, begin, count).write_buckets(logits_CV, own_CB, other_CB);
}

std::vector<double> WholePieceTeacher::written_C(int64_t begin, const Tensor& other_CB) const {
  const auto first = places.cell_Z.begin() + begin;
  std::vector<int64_t> cell_C(first, first + other_CB.size(0));
  for (int64_t& cell : cell_C) cell = cell < 0 ? other_CB.size(1) - 1 : cell;
  const Tensor logit_C1 = other_CB.gather(1, tensor_of(cell_C, other_CB).unsqueeze(1));
  return doubles_of((logit_C1 - other_CB.logsumexp(1, true)).exp());
}

ListedPieceTeacher::ListedPieceTeacher(const PiecePlaces& places, const AlignedStates& teacher,
                                       const PieceTokens& student)
    : places_(places),
      student_(student),
      tokens_(PieceTokens::of_teacher(places)),
      bounds_(places, tokens_, teacher.topk, tokens_.rest_logp_Z(teacher.topk.logp_M)) {}

void ListedPieceTeacher::write(int64_t begin, const Tensor& own_CB, const Tensor& other_CB) {
  bounds_C_.clear();
  std::vector<int64_t> row_r;
  for (int64_t c = 0; c < other_CB.size(0); ++c) {
    bounds_C_.push_back(bounds_.next());
    for (const BucketBound& bound : bounds_C_.back()) known_mass += bound.mass.least;
    if (student_.written_Z.at(begin + c) == 0) row_r.push_back(c);
  }
  write_nearest(own_CB, other_CB, row_r);
  for (int64_t c = 0; c < other_CB.size(0); ++c) {
    if (student_.written_Z.at(begin + c) > 0) write_known(other_CB, c);
  }
}

// All rows are written; `row_r` are those of which the student's are known.
void ListedPieceTeacher::write_nearest(const Tensor& own_CB, const Tensor& other_CB,
                                       const std::vector<int64_t>& row_r) const {
  std::vector<int64_t> place_b, cell_b;
  for (const int64_t row : row_r) {
    for (const BucketBound& bound : bounds_C_[row]) {
      place_b.push_back(row);
      cell_b.push_back(bound.cell);
    }
  }
  const Tensor place = tensor_of(place_b, own_CB), cell = tensor_of(cell_b, own_CB);
  const RowMasses q(own_CB, place, cell, other_CB);
  // A row that is the student's own keeps its bits: no divergence sees rounding there.
  std::vector<double> shift_C(bounds_C_.size(), 0), log_b;
  place_b.clear();
  cell_b.clear();
  size_t b = 0;
  for (const int64_t row : row_r) {
    const std::vector<BucketBound>& bounds = bounds_C_[row];
    const auto first = q.listed_b.begin() + static_cast<int64_t>(b);
    const NearestMasses p =
        nearest_masses(bounds, std::vector(first, first + std::ssize(bounds)), q.others_C[row]);
    b += bounds.size();
    if (p.same) continue;
    shift_C[row] = std::log(std::max(p.factor, kLeastListed)) - q.log_sum_C[row];
    for (size_t i = 0; i < bounds.size(); ++i) {
      place_b.push_back(row);
      cell_b.push_back(bounds[i].cell);
      log_b.push_back(std::log(std::max(p.mass[i], kLeastListed)));
    }
  }
  const auto dtype = other_CB.scalar_type();
  other_CB.copy_(own_CB);
  other_CB.add_(tensor_of(shift_C, other_CB).unsqueeze(1).to(dtype));
  other_CB.index_put_({tensor_of(place_b, other_CB), tensor_of(cell_b, other_CB)},
                      tensor_of(log_b, other_CB).to(dtype));
}

// Known buckets; all other mass stands in the last one, since InsideRows takes them as one.
void ListedPieceTeacher::write_known(const Tensor& other_CB, int64_t row) const {
  std::vector<int64_t> cell_b;
  std::vector<double> log_b;
  double unknown = 1;
  for (const BucketBound& bound : bounds_C_[row]) {
    if (!bound.known() || bound.cell == other_CB.size(1) - 1) continue;
    unknown -= bound.mass.least;
    cell_b.push_back(bound.cell);
    log_b.push_back(std::log(std::max(bound.mass.least, kLeastListed)));
  }
  cell_b.push_back(other_CB.size(1) - 1);
  log_b.push_back(std::log(std::max(unknown, kLeastListed)));
  const Tensor row_B = other_CB.select(0, row).fill_(std::log(kLeastListed));
  row_B.index_put_({tensor_of(cell_b, other_CB)},
                   tensor_of(log_b, other_CB).to(other_CB.scalar_type()));
}

KnownCells ListedPieceTeacher::known() const {
  return [this](int64_t row, int64_t cell) {
    return std::ranges::any_of(bounds_C_.at(row), [&](const BucketBound& bound) {
      return bound.cell == cell && bound.known();
    });
  };
}

std::vector<double> ListedPieceTeacher::written_C(int64_t begin, const Tensor& other_CB) const {
  std::vector<double> mass_C;
  for (size_t c = 0; c < bounds_C_.size(); ++c) {
    const int64_t cell = places_.cell_Z.at(begin + static_cast<int64_t>(c));
    double mass = 0;
    for (const BucketBound& bound : bounds_C_[c]) {
      if (bound.cell == (cell < 0 ? other_CB.size(1) - 1 : cell)) mass = bound.mass.least;
    }
    mass_C.push_back(mass);
  }
  return mass_C;
}

}  // namespace alambic
