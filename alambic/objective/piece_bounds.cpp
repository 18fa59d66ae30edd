#include "alambic/objective/piece_bounds.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "alambic/objective/tensor_numbers.h"

namespace alambic {

namespace {

/// A bucket that the student has not, as piece_buckets.cpp writes it.
constexpr double kNoMass = 0x1p-115;

const Tensor& teacher_cells(const PiecePlaces& places) { return places.map.cells->teacher_V; }

// Of a sum with `others` the part's share.
MassRange share_of(const MassRange& part, const MassRange& others, bool whole) {
  const double all_least = part.least + others.most, all_most = part.most + others.least;
  const double least = all_least > 0 ? part.least / all_least : 0;
  return {.least = least,
          .most = whole && all_most > 0 ? std::max(least, part.most / all_most) : 1};
}

}  // namespace

PieceBounds::PieceBounds(const PiecePlaces& places, const PieceTokens& tokens, const TopK& topk,
                         const Tensor& rest_logp_Z)
    : places_(places),
      tokens_(tokens),
      listed_(topk, places.map.token_L, teacher_cells(places).size(0)),
      open_(places, tokens),
      row_Z_(numbers_of(tokens.row_Z)),
      token_Z_(numbers_of(tokens.token_Z)),
      cell_V_(numbers_of(teacher_cells(places))),
      tokens_B_(static_cast<size_t>(places.map.cells->count), 0),
      rest_logp_Z_(doubles_of(rest_logp_Z)) {
  for (const int64_t cell : cell_V_) ++tokens_B_.at(cell);
}

std::vector<BucketBound> PieceBounds::next() {
  const int64_t place = place_++;
  const ListedRow row = listed_.row(row_Z_.at(place));
  if (tokens_.written_Z.at(place) == 0) return of_row(place, row);
  const double first = *row.of(token_Z_[place]);
  std::vector<BucketBound> bounds = inside(place, row);
  open_.pass(place, first, row);
  return bounds;
}

std::vector<BucketBound> PieceBounds::of_row(int64_t place, const ListedRow& row) {
  struct Bucket {
    double mass = 0;
    int64_t unsaid = 0;  // tokens
  };
  std::map<int64_t, Bucket> buckets;
  const auto own = std::ssize(tokens_B_);
  const auto bucket = [&](int64_t cell) -> Bucket& {
    const int64_t tokens = cell < own ? tokens_B_.at(cell) : 0;
    return buckets.try_emplace(cell, Bucket{.mass = 0, .unsaid = tokens}).first->second;
  };
  bucket(own);
  const double first = *row.of(token_Z_.at(place)), rest = rest_logp_Z_.at(place);
  for (const auto& [token, probability] : row.known) {
    Bucket& of = bucket(cell_V_[token]);
    --of.unsaid;
    of.mass += token == token_Z_[place] ? first * -std::expm1(rest) : probability;
  }
  const int64_t to = places_.cell_Z.at(place);
  bucket(to < 0 ? own : to).mass += first * std::exp(rest);

  const OpenBounds::Masses masses = open_.before(place);
  MassRange next;
  for (const auto& [cell, mass] : masses.next) {
    bucket(cell);
    next += mass;
  }
  std::vector<BucketBound> bounds;
  for (const auto& [cell, of] : buckets) {
    MassRange part = masses.closed * of.mass, others = masses.closed * std::max(0.0, 1 - of.mass);
    others += next;
    others.most += masses.unknown;
    if (const auto found = masses.next.find(static_cast<int32_t>(cell));
        found != masses.next.end()) {
      part += found->second;
      others.least -= found->second.least;
      others.most -= found->second.most;
    }
    if (const auto found = masses.maybe.find(static_cast<int32_t>(cell));
        found != masses.maybe.end()) {
      part.most += found->second;
    }
    bounds.push_back({.cell = cell, .mass = share_of(part, others, of.unsaid == 0)});
  }
  open_.pass(place, first * std::exp(rest), row);
  return bounds;
}

// As InsideRows has them: of the tokens that agree with the text so far those that go on with a
// cell. One that ends with it makes its cell certain: nothing else writes it.
std::vector<BucketBound> PieceBounds::inside(int64_t place, const ListedRow& row) const {
  struct Bucket {
    double mass = 0;
    bool certain = false, unsaid = false;
  };
  const TokenPaths& paths = *tokens_.paths;
  const int64_t written = tokens_.written_Z[place];
  const std::span<const int32_t> text = paths.of(token_Z_[place]).first(written);
  std::map<int64_t, Bucket> buckets;
  Bucket ended;
  double said = 0;
  const auto add = [&](int64_t token, Bucket& bucket) {
    const std::optional<double> known = row.of(token);
    bucket.unsaid = bucket.unsaid || !known;
    bucket.mass += known.value_or(0);
    said += known.value_or(0);
  };
  const int32_t alone = paths.alone[text.front()];
  if (written == 1 && alone >= 0) add(alone, ended);
  for (const int32_t token : paths.tokens_of(text.front())) {
    const std::span<const int32_t> path = paths.of(token);
    if (std::ssize(path) < written || !std::ranges::equal(path.first(written), text)) continue;
    if (std::ssize(path) == written) {
      add(token, ended);
      continue;
    }
    Bucket& bucket = buckets[path[written]];
    bucket.certain = bucket.certain || std::ssize(path) == written + 1;
    add(token, bucket);
  }
  if (!(said > 0)) return {};
  int64_t unsaid = ended.unsaid ? 1 : 0;
  for (const auto& [cell, bucket] : buckets) unsaid += bucket.unsaid ? 1 : 0;
  std::vector<BucketBound> bounds;
  for (const auto& [cell, bucket] : buckets) {
    const double here = bucket.unsaid ? row.tail : 0;
    const double elsewhere = unsaid > (bucket.unsaid ? 1 : 0) ? row.tail : 0;
    const MassRange part{bucket.mass, bucket.mass + here};
    const MassRange others{said - bucket.mass, said - bucket.mass + elsewhere};
    bounds.push_back({.cell = cell, .mass = share_of(part, others, bucket.certain)});
  }
  return bounds;
}

NearestMasses nearest_masses(const std::vector<BucketBound>& bounds, const std::vector<double>& q,
                             double q_rest) {
  bool same = true;
  for (size_t b = 0; b < bounds.size(); ++b) {
    same = same && bounds[b].mass.least <= q[b] && q[b] <= bounds[b].mass.most + kNoMass;
  }
  if (same) return {.mass = q, .factor = 1, .same = true};
  // Σ p rises with λ, in straight lines between the places where a bucket leaves its least mass or
  // meets its most.
  struct Turn {
    double at, slope;
  };
  std::vector<Turn> turns;
  double sum = 0, slope = q_rest, factor = 0;
  for (size_t b = 0; b < bounds.size(); ++b) {
    const MassRange& mass = bounds[b].mass;
    sum += mass.least;
    if (bounds[b].known() || !(q[b] > 0)) continue;
    turns.push_back({mass.least / q[b], q[b]});
    turns.push_back({mass.most / q[b], -q[b]});
  }
  std::ranges::sort(turns, {}, &Turn::at);
  for (const Turn& turn : turns) {
    const double there = sum + slope * (turn.at - factor);
    if (there >= 1) break;
    sum = there;
    factor = turn.at;
    slope += turn.slope;
  }
  if (sum < 1 && slope > 0) factor += (1 - sum) / slope;
  NearestMasses nearest{.mass = {}, .factor = factor};
  for (size_t b = 0; b < bounds.size(); ++b) {
    const MassRange& mass = bounds[b].mass;
    nearest.mass.push_back(std::clamp(factor * q[b], mass.least, mass.most));
  }
  return nearest;
}

}  // namespace alambic
