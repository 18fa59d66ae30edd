#include "alambic/objective/inside_tokens.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "alambic/objective/tensor_numbers.h"

namespace alambic {

namespace {

constexpr double kLeast = 0x1p-115;  // as in piece_buckets.cpp: against infinities

}  // namespace

InsideRows::InsideRows(const PieceTokens& tokens, int64_t begin, int64_t count) {
  const auto first = tokens.written_Z.begin() + begin;
  if (std::all_of(first, first + count, [](int64_t written) { return written == 0; })) return;
  const std::vector<int64_t> token_C = numbers_of(tokens.token_Z.narrow(0, begin, count));
  for (int64_t c = 0; c < count; ++c) {
    if (first[c] > 0) add_row(*tokens.paths, c, token_C[c], first[c]);
  }
}

void InsideRows::add_row(const TokenPaths& paths, int64_t row, int64_t token, int64_t written) {
  const size_t r = row_r_.size();
  row_r_.push_back(row);
  const std::span<const int32_t> text = paths.of(token).first(written);
  const auto add = [&](int64_t id, int64_t bucket) {
    tokens_.push_back({.row = r, .id = id, .bucket = bucket});
  };
  if (written == 1 && paths.alone[text.front()] >= 0) add(paths.alone[text.front()], -1);
  std::map<int32_t, size_t> of_cell;
  for (const int32_t id : paths.tokens_of(text.front())) {
    const std::span<const int32_t> path = paths.of(id);
    if (std::ssize(path) < written || !std::ranges::equal(path.first(written), text)) continue;
    if (std::ssize(path) == written) {
      add(id, -1);
      continue;
    }
    const int32_t cell = path[written];
    const auto [found, fresh] = of_cell.emplace(cell, buckets_.size());
    if (fresh) buckets_.push_back({.row = r, .cell = cell, .certain = false});
    Bucket& bucket = buckets_[found->second];
    bucket.certain = bucket.certain || std::ssize(path) == written + 1;
    add(id, static_cast<int64_t>(found->second));
  }
}

// Shares of those that agree with the text so far.
void InsideRows::add_masses(const Tensor& logits_CV) {
  std::vector<int64_t> row, id;
  for (const Token& token : tokens_) {
    row.push_back(row_r_[token.row]);
    id.push_back(token.id);
  }
  const std::vector<double> logit =
      doubles_of(logits_CV.index({tensor_of(row, logits_CV), tensor_of(id, logits_CV)}));
  std::vector<double> top_r(row_r_.size(), -INFINITY), sum_r(row_r_.size(), 0);
  for (size_t n = 0; n < tokens_.size(); ++n) {
    top_r[tokens_[n].row] = std::max(top_r[tokens_[n].row], logit[n]);
  }
  for (size_t n = 0; n < tokens_.size(); ++n) {
    Token& token = tokens_[n];
    token.mass = std::exp(logit[n] - top_r[token.row]);
    sum_r[token.row] += token.mass;
  }
  rest_r_.assign(row_r_.size(), 0);
  for (Token& token : tokens_) {
    token.mass /= sum_r[token.row];
    (token.bucket < 0 ? rest_r_[token.row] : buckets_[token.bucket].mass) += token.mass;
  }
}

// A cell that may be written in other ways has its own bucket only where its tokens are more than
// their part of what is not said: the least divergence that the unknown row allows.
std::vector<double> InsideRows::settle(const std::vector<double>& other_b,
                                       std::vector<double> other_rest_r, const KnownCells& known) {
  const auto join = [&](size_t b) {
    buckets_[b].own = false;
    rest_r_[buckets_[b].row] += buckets_[b].mass;
    other_rest_r[buckets_[b].row] += other_b[b];
  };
  std::vector<size_t> order;
  for (size_t b = 0; b < buckets_.size(); ++b) {
    if (known && !known(row_r_[buckets_[b].row], buckets_[b].cell)) {
      join(b);
    } else if (!buckets_[b].certain) {
      order.push_back(b);
    }
  }
  std::ranges::sort(order, [&](size_t a, size_t b) {
    return buckets_[a].mass * other_b[b] < buckets_[b].mass * other_b[a];
  });
  for (const size_t b : order) {
    const Bucket& bucket = buckets_[b];
    const double rest = rest_r_[bucket.row], other_rest = other_rest_r[bucket.row];
    if (bucket.mass * other_rest < rest * other_b[b]) join(b);
  }
  std::vector<double> log_share_r;
  for (size_t r = 0; r < rest_r_.size(); ++r) {
    log_share_r.push_back(std::log(std::max(rest_r_[r], kLeast)) -
                          std::log(std::max(other_rest_r[r], kLeast)));
  }
  return log_share_r;
}

void InsideRows::write_buckets(const Tensor& logits_CV, const Tensor& other_CB,
                               const Tensor& bucket_CB, const KnownCells& known) {
  if (row_r_.empty()) return;
  add_masses(logits_CV);
  std::vector<int64_t> place_b, cell_b;
  for (const Bucket& bucket : buckets_) {
    place_b.push_back(static_cast<int64_t>(bucket.row));
    cell_b.push_back(bucket.cell);
  }
  const Tensor row_r = tensor_of(row_r_, other_CB);
  const Tensor place = tensor_of(place_b, other_CB), cell = tensor_of(cell_b, other_CB);
  Tensor log_p_RB = other_CB.index_select(0, row_r).to(at::kDouble);
  log_p_RB -= log_p_RB.logsumexp(1, true);
  const std::vector<double> other_b = doubles_of(log_p_RB.index({place, cell}).exp());
  Tensor others_RB = log_p_RB.clone();
  others_RB.index_put_({place, cell}, at::full({}, -INFINITY, others_RB.options()));
  const std::vector<double> log_share_r =
      settle(other_b, doubles_of(others_RB.logsumexp(1).exp()), known);
  log_p_RB += tensor_of(log_share_r, log_p_RB).unsqueeze(1);
  std::vector<double> log_own;
  place_b.clear();
  cell_b.clear();
  for (const Bucket& bucket : buckets_) {
    if (!bucket.own) continue;
    place_b.push_back(static_cast<int64_t>(bucket.row));
    cell_b.push_back(bucket.cell);
    log_own.push_back(std::log(std::max(bucket.mass, kLeast)));
  }
  log_p_RB.index_put_({tensor_of(place_b, log_p_RB), tensor_of(cell_b, log_p_RB)},
                      tensor_of(log_own, log_p_RB));
  bucket_CB.index_copy_(0, row_r, log_p_RB.to(bucket_CB.scalar_type()));
}

void InsideRows::write_gradient(const Tensor& gradient_CB, const Tensor& logits_CV) const {
  if (row_r_.empty()) return;
  std::vector<int64_t> row, cell;
  for (const Bucket& bucket : buckets_) {
    row.push_back(row_r_[bucket.row]);
    cell.push_back(bucket.cell);
  }
  const std::vector<double> gradient_b =
      doubles_of(gradient_CB.index({tensor_of(row, gradient_CB), tensor_of(cell, gradient_CB)}));
  // A row's gradients sum to 0.
  std::vector<double> of_rest_r(row_r_.size(), 0);
  for (size_t b = 0; b < buckets_.size(); ++b) {
    if (buckets_[b].own) of_rest_r[buckets_[b].row] -= gradient_b[b];
  }
  std::vector<int64_t> id;
  std::vector<double> slope;
  row.clear();
  for (const Token& token : tokens_) {
    const bool own = token.bucket >= 0 && buckets_[token.bucket].own;
    const double gradient = own ? gradient_b[token.bucket] : of_rest_r[token.row];
    const double whole = own ? buckets_[token.bucket].mass : rest_r_[token.row];
    row.push_back(row_r_[token.row]);
    id.push_back(token.id);
    slope.push_back(whole > 0 ? gradient * token.mass / whole : 0);
  }
  logits_CV.index_fill_(0, tensor_of(row_r_, logits_CV), 0);
  logits_CV.index_put_({tensor_of(row, logits_CV), tensor_of(id, logits_CV)},
                       tensor_of(slope, logits_CV).to(logits_CV.scalar_type()));
}

}  // namespace alambic
