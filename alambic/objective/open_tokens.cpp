#include "alambic/objective/open_tokens.h"

#include <algorithm>
#include <cmath>

#include "alambic/objective/tensor_numbers.h"

namespace alambic {

namespace {

constexpr double kLeastClosed = 0x1p-100;  // against infinities

}  // namespace

struct OpenTokens::Drawn {
  std::vector<int64_t> row, token;
  std::vector<double> probability;
  size_t next = 0;
};

std::pair<Tensor, Tensor> MixedBuckets::split(const Tensor& gradient_CB,
                                              const Tensor& logits_CV) const {
  const Tensor all_n = gradient_CB.index({row_n, cell_n});
  const Tensor mine_n = all_n * own_n;
  gradient_CB.index_put_({row_n, cell_n}, mine_n);
  const Tensor lost_C =
      at::zeros({logits_CV.size(0)}, gradient_CB.options()).index_add_(0, row_n, all_n - mine_n);
  const Tensor row_r =
      (at::zeros_like(lost_C, at::kLong).index_fill_(0, row_n, 1)).nonzero().squeeze(1);
  const Tensor rows_rV = logits_CV.index_select(0, row_r).softmax(1);
  return {rows_rV.mul_(lost_C.index_select(0, row_r).unsqueeze(1)), row_r};
}

OpenTokens::OpenTokens(const PiecePlaces& places, std::shared_ptr<const TokenPaths> paths,
                       std::vector<int64_t> written_Z)
    : places_(places), paths_(std::move(paths)), written_Z_(std::move(written_Z)) {}

OpenTokens::Drawn OpenTokens::drawn(int64_t begin, const Tensor& logits_CV,
                                    const Tensor& log_sum_C1) const {
  Drawn drawn;
  for (int64_t c = 0; c < logits_CV.size(0); ++c) {
    const int64_t cell = places_.cell_Z.at(begin + c);
    if (cell < 0 || inside(begin + c)) continue;
    for (const int32_t token : paths_->tokens_of(cell)) {
      drawn.row.push_back(c);
      drawn.token.push_back(token);
    }
  }
  const Tensor row = tensor_of(drawn.row, logits_CV), token = tensor_of(drawn.token, logits_CV);
  drawn.probability = doubles_of(
      (logits_CV.index({row, token}).to(at::kDouble) - log_sum_C1.squeeze(1).index_select(0, row))
          .exp());
  return drawn;
}

// What is open and closed behind a place. Inside of a token nothing is known of what the model
// writes where it has closed one.
void OpenTokens::pass(int64_t place, double written_mass, Drawn& drawn, int64_t row) {
  const int64_t cell = places_.cell_Z[place];
  double closed = inside(place) ? 0 : closed_ * written_mass;
  std::vector<Open> open;
  for (Open token : open_) {
    const std::span path = paths_->of(token.token);
    if (cell < 0 || path[token.written] != cell) continue;
    if (++token.written == std::ssize(path)) {
      closed += token.mass;
    } else {
      open.push_back(token);
    }
  }
  for (; drawn.next < drawn.row.size() && drawn.row[drawn.next] == row; ++drawn.next) {
    open.push_back({static_cast<int32_t>(drawn.token[drawn.next]), 1,
                    closed_ * drawn.probability[drawn.next]});
  }
  double sum = closed;
  for (const Open& token : open) sum += token.mass;
  std::erase_if(open, [&](const Open& token) { return !(token.mass > sum * kLeastOpenShare); });
  sum = closed;
  for (const Open& token : open) sum += token.mass;
  const bool known = sum > 0;
  closed_ = known ? closed / sum : 1;
  open_ = known ? std::move(open) : std::vector<Open>();
  for (Open& token : open_) token.mass /= sum;
}

// Masses of the cells that open tokens go on with, where the model has a row to add them to.
std::map<int32_t, double> OpenTokens::going_on(int64_t place) const {
  std::map<int32_t, double> masses;
  if (inside(place)) return masses;
  for (const Open& token : open_) masses[paths_->of(token.token)[token.written]] += token.mass;
  return masses;
}

MixedBuckets OpenTokens::mix(int64_t begin, const Tensor& logits_CV, const Tensor& token_C,
                             const Tensor& rest_C, const Tensor& bucket_CB) {
  if (!paths_) return {};
  const Tensor log_sum_C1 = logits_CV.logsumexp(1, true).to(at::kDouble);
  const Tensor first_C = logits_CV.gather(1, token_C.unsqueeze(1)).squeeze(1).to(at::kDouble);
  const auto written_mass = doubles_of((first_C + rest_C - log_sum_C1.squeeze(1)).exp());
  Drawn found = drawn(begin, logits_CV, log_sum_C1);
  std::vector<int64_t> row, cell;
  std::vector<double> more;  // over the row's own mass
  for (int64_t c = 0; c < std::ssize(written_mass); ++c) {
    if (!places_.follows_Z.at(begin + c)) {
      closed_ = 1;
      open_.clear();
    }
    for (const auto& [of, mass] : going_on(begin + c)) {
      row.push_back(c);
      cell.push_back(of);
      more.push_back(std::log(mass) - std::log(std::max(closed_, kLeastClosed)));
    }
    pass(begin + c, written_mass[c], found, c);
  }
  if (row.empty()) return {};
  const Tensor row_n = tensor_of(row, bucket_CB), cell_n = tensor_of(cell, bucket_CB);
  const Tensor more_n = log_sum_C1.squeeze(1).index_select(0, row_n) + tensor_of(more, bucket_CB);
  const Tensor known_n = bucket_CB.index({row_n, cell_n});
  const Tensor mixed_n = at::logaddexp(known_n, more_n.to(bucket_CB.scalar_type()));
  bucket_CB.index_put_({row_n, cell_n}, mixed_n);
  return {.row_n = row_n, .cell_n = cell_n, .own_n = (known_n - mixed_n).exp_()};
}

}  // namespace alambic
