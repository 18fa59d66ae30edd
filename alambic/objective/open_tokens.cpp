#include "alambic/objective/open_tokens.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <span>

namespace alambic {

namespace {

constexpr double kLeastShare = 0x1p-24;    // less says nothing in float32
constexpr double kLeastClosed = 0x1p-100;  // against infinities

std::vector<int64_t> numbers_of(const Tensor& ids) {
  const Tensor on_cpu = ids.cpu().contiguous();
  const auto* begin = on_cpu.const_data_ptr<int64_t>();
  return {begin, begin + on_cpu.numel()};
}

std::vector<double> doubles_of(const Tensor& values) {
  const Tensor on_cpu = values.to(at::kDouble).cpu().contiguous();
  const auto* begin = on_cpu.const_data_ptr<double>();
  return {begin, begin + on_cpu.numel()};
}

// Takes the spans that do not follow the one before in one model's tokens.
void forget_gaps(const std::vector<int64_t>& span_of, std::vector<bool>& follows_K) {
  int64_t before = -1;
  for (const int64_t span : span_of) {
    if (span >= 0 && span != before && span != before + 1) follows_K[span] = false;
    if (span >= 0 && before < 0) follows_K[span] = false;
    before = span;
  }
}

std::span<const int32_t> part(const std::vector<int64_t>& begin, const std::vector<int32_t>& all,
                              int64_t of) {
  return std::span(all).subspan(begin.at(of), begin.at(of + 1) - begin.at(of));
}

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

OpenTokens::OpenTokens(const SpanMap& map, std::shared_ptr<const TokenPaths> paths)
    : paths_(std::move(paths)), follows_K_(static_cast<size_t>(map.spans()), true) {
  if (!paths_) return;
  cell_K_ = numbers_of(map.cell_K);
  const std::vector<int64_t> sequence_K = numbers_of(map.sequence_K);
  for (size_t k = 0; k < sequence_K.size(); ++k) {
    follows_K_[k] = k > 0 && sequence_K[k] == sequence_K[k - 1];
  }
  forget_gaps(numbers_of(map.span_M), follows_K_);
  forget_gaps(numbers_of(map.span_L), follows_K_);
}

OpenTokens::Drawn OpenTokens::drawn(int64_t begin, const Tensor& logits_CV,
                                    const Tensor& log_sum_C1) const {
  Drawn drawn;
  for (int64_t c = 0; c < logits_CV.size(0); ++c) {
    const int64_t cell = cell_K_.at(begin + c);
    if (cell < 0) continue;
    for (const int32_t token : part(paths_->token_begin, paths_->token, cell)) {
      drawn.row.push_back(c);
      drawn.token.push_back(token);
    }
  }
  const auto ids = [&](const std::vector<int64_t>& values) {
    return at::tensor(values, at::kLong).to(logits_CV.device());
  };
  const Tensor row = ids(drawn.row);
  drawn.probability = doubles_of((logits_CV.index({row, ids(drawn.token)}).to(at::kDouble) -
                                  log_sum_C1.squeeze(1).index_select(0, row))
                                     .exp());
  return drawn;
}

// What is open and closed behind a span.
void OpenTokens::pass(int64_t span, double span_mass, Drawn& drawn, int64_t row) {
  const int64_t cell = cell_K_[span];
  double closed = closed_ * span_mass;
  std::vector<Open> open;
  for (Open token : open_) {
    const auto path = part(paths_->path_begin, paths_->path, token.token);
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
  std::erase_if(open, [&](const Open& token) { return !(token.mass > sum * kLeastShare); });
  sum = closed;
  for (const Open& token : open) sum += token.mass;
  const bool known = sum > 0;
  closed_ = known ? closed / sum : 1;
  open_ = known ? std::move(open) : std::vector<Open>();
  for (Open& token : open_) token.mass /= sum;
}

MixedBuckets OpenTokens::mix(int64_t begin, const Tensor& logits_CV, const Tensor& token_C,
                             const Tensor& rest_C, const Tensor& bucket_CB) {
  if (!paths_) return {};
  const Tensor log_sum_C1 = logits_CV.logsumexp(1, true).to(at::kDouble);
  const Tensor first_C = logits_CV.gather(1, token_C.unsqueeze(1)).squeeze(1).to(at::kDouble);
  const auto span_mass = doubles_of((first_C + rest_C - log_sum_C1.squeeze(1)).exp());
  Drawn found = drawn(begin, logits_CV, log_sum_C1);
  std::vector<int64_t> row, cell;
  std::vector<double> more;  // over the row's own mass
  for (int64_t c = 0; c < std::ssize(span_mass); ++c) {
    if (!follows_K_[begin + c]) {
      closed_ = 1;
      open_.clear();
    }
    std::map<int32_t, double> masses;
    for (const Open& token : open_) {
      masses[part(paths_->path_begin, paths_->path, token.token)[token.written]] += token.mass;
    }
    for (const auto& [of, mass] : masses) {
      row.push_back(c);
      cell.push_back(of);
      more.push_back(std::log(mass) - std::log(std::max(closed_, kLeastClosed)));
    }
    pass(begin + c, span_mass[c], found, c);
  }
  if (row.empty()) return {};
  const auto as = [&](const auto& values, const at::TensorOptions& options) {
    return at::tensor(values, options).to(bucket_CB.device());
  };
  const Tensor row_n = as(row, at::kLong), cell_n = as(cell, at::kLong);
  const Tensor more_n = log_sum_C1.squeeze(1).index_select(0, row_n) + as(more, at::kDouble);
  const Tensor known_n = bucket_CB.index({row_n, cell_n});
  const Tensor mixed_n = at::logaddexp(known_n, more_n.to(bucket_CB.scalar_type()));
  bucket_CB.index_put_({row_n, cell_n}, mixed_n);
  return {.row_n = row_n, .cell_n = cell_n, .own_n = (known_n - mixed_n).exp_()};
}

}  // namespace alambic
