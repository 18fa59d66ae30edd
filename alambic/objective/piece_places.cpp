#include "alambic/objective/piece_places.h"

#include "alambic/base/error.h"
#include "alambic/objective/tensor_numbers.h"

namespace alambic {

namespace {

// Takes the spans that do not follow the one before in one model's tokens.
void forget_gaps(const std::vector<int64_t>& span_of, std::vector<bool>& follows_K) {
  int64_t before = -1;
  for (const int64_t span : span_of) {
    if (span >= 0 && span != before && span != before + 1) follows_K[span] = false;
    if (span >= 0 && before < 0) follows_K[span] = false;
    before = span;
  }
}

std::vector<bool> follows_K(const SpanMap& map) {
  const std::vector<int64_t> sequence_K = numbers_of(map.sequence_K);
  std::vector<bool> follows(sequence_K.size());
  for (size_t k = 1; k < follows.size(); ++k) follows[k] = sequence_K[k] == sequence_K[k - 1];
  forget_gaps(numbers_of(map.span_M), follows);
  forget_gaps(numbers_of(map.span_L), follows);
  return follows;
}

/// Which members of an InnerCell are one model's.
struct InnerSide {
  int64_t InnerCell::*token;
  int64_t InnerCell::*written;
};

// The first token of every span.
Tensor first_K(const SpanTargets& targets) {
  Tensor begins = targets.span_M >= 0;
  const int64_t later = targets.span_M.size(0) - 1;
  if (later > 0) {
    begins.narrow(0, 1, later)
        .logical_and_(targets.span_M.narrow(0, 1, later) != targets.span_M.narrow(0, 0, later));
  }
  const Tensor first = begins.nonzero().squeeze(1);
  check(first.numel() == targets.spans, "{} beginnings of {} spans", first.numel(), targets.spans);
  return first;
}

// Those behind the first ones of the spans that are taken as a whole.
Tensor rest_R(const SpanTargets& targets, const Tensor& first_K, const PiecePlaces& places) {
  Tensor rest = targets.span_M >= 0;
  rest.index_fill_(0, first_K, 0);
  if (!places.map.inner.empty()) {
    std::vector<int64_t> whole_K(places.begin_K.size(), 1);
    for (const InnerCell& inner : places.map.inner) whole_K[inner.span] = 0;
    rest.logical_and_(at_tokens(tensor_of(whole_K, rest), targets) > 0);
  }
  return rest.nonzero().squeeze(1);
}

PieceTokens tokens_at(const PiecePlaces& places, const SpanTargets& targets,
                      const std::shared_ptr<const TokenPaths>& paths, const InnerSide& side) {
  PieceTokens tokens{.paths = paths};
  const Tensor first = first_K(targets);
  tokens.begin_Z = tensor_of(places.begin_K, first);
  std::vector<int64_t> row = numbers_of(first), written(row.size(), 0), row_Z;
  for (const InnerCell& cell : places.map.inner) {
    row.push_back(cell.*side.token);
    written.push_back(cell.*side.written);
  }
  for (const int64_t place : places.order_Z) {
    row_Z.push_back(row[place]);
    tokens.written_Z.push_back(written[place]);
  }
  tokens.row_Z = tensor_of(row_Z, first);
  tokens.token_Z = targets.token_M.index_select(0, tokens.row_Z);
  tokens.rest_R = rest_R(targets, first, places);
  tokens.rest = {.token_M = targets.token_M.index_select(0, tokens.rest_R),
                 .span_M = targets.span_M.index_select(0, tokens.rest_R),
                 .end_M = targets.end_M.index_select(0, tokens.rest_R),
                 .ends = {},
                 .spans = targets.spans};
  return tokens;
}

}  // namespace

PiecePlaces::PiecePlaces(const SpanMap& map) : map(map) {
  const std::vector<bool> follows = follows_K(map);
  const std::vector<int64_t> cell_K = numbers_of(map.cell_K);
  const int64_t K = map.spans();
  size_t i = 0;
  for (int64_t k = 0; k < K; ++k) {
    begin_K.push_back(std::ssize(order_Z));
    order_Z.push_back(k);
    cell_Z.push_back(cell_K.at(k));
    follows_Z.push_back(follows[k]);
    for (; i < map.inner.size() && map.inner[i].span == k; ++i) {
      order_Z.push_back(K + static_cast<int64_t>(i));
      cell_Z.push_back(map.inner[i].cell);
      follows_Z.push_back(true);
    }
  }
  check(i == map.inner.size(), "inner cells that are not in the order of their spans");
}

PieceTokens PieceTokens::of_student(const PiecePlaces& places, const Tensor& token_M) {
  return tokens_at(places, student_targets(places.map, token_M), places.map.cells->student_paths,
                   {&InnerCell::student, &InnerCell::student_written});
}

PieceTokens PieceTokens::of_teacher(const PiecePlaces& places) {
  return tokens_at(places, teacher_targets(places.map), places.map.cells->teacher_paths,
                   {&InnerCell::teacher, &InnerCell::teacher_written});
}

Tensor PieceTokens::rest_logp_Z(const Tensor& hidden_MD, const Head& head, double T,
                                const ChunkOptions& chunk) const {
  const Tensor hidden_RD = hidden_MD.detach().index_select(0, rest_R);
  return at_beginnings(log_probabilities(hidden_RD, head, rest, T, chunk));
}

Tensor PieceTokens::rest_logp_Z(const Tensor& logp_M) const {
  return at_beginnings(logp_M.index_select(0, rest_R));
}

Tensor PieceTokens::at_beginnings(const Tensor& logp_R) const {
  const Tensor rest_K = span_sums(logp_R, rest);
  return at::zeros({row_Z.size(0)}, rest_K.options()).index_copy(0, begin_Z, rest_K);
}

}  // namespace alambic
