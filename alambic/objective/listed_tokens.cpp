#include "alambic/objective/listed_tokens.h"

#include <algorithm>
#include <cmath>

#include "alambic/base/error.h"
#include "alambic/objective/tensor_numbers.h"
#include "alambic/objective/topk.h"

namespace alambic {

std::optional<double> ListedRow::of(int64_t token) const {
  const auto found = std::ranges::lower_bound(known, token, {}, &std::pair<int64_t, double>::first);
  if (found == known.end() || found->first != token) return {};
  return found->second;
}

ListedTokens::ListedTokens(const TopK& topk, const Tensor& token_L, int64_t vocabulary)
    : k_(topk.logp_MK.size(1)),
      vocabulary_(vocabulary),
      token_LK_(numbers_of(topk.token_MK)),
      token_L_(numbers_of(token_L)),
      logp_LK_(doubles_of(topk.logp_MK)),
      logp_L_(doubles_of(topk.logp_M)) {
  const int64_t L = token_L.numel();
  check(
      topk.logp_MK.size(0) == L && std::ssize(logp_L_) == L && token_LK_.size() == logp_LK_.size(),
      "top-K of {} tokens for {}", topk.logp_MK.size(0), L);
  for (const int64_t token : token_LK_) {
    if (token >= 0 && token < vocabulary) continue;
    throw input_error("the teacher names token {}, its tokenizer has {} tokens", token, vocabulary);
  }
}

ListedRow ListedTokens::row(int64_t graded) const {
  ListedRow row;
  const int64_t chosen = token_L_.at(graded);
  bool has_chosen = false;
  double sum = 0;
  const auto add = [&](int64_t token, double logp) {
    row.known.emplace_back(token, std::exp(logp));
    sum += row.known.back().second;
    has_chosen = has_chosen || token == chosen;
  };
  for (int64_t i = graded * k_; i < (graded + 1) * k_; ++i) add(token_LK_[i], logp_LK_[i]);
  if (!has_chosen) add(chosen, logp_L_[graded]);
  std::ranges::sort(row.known);
  const bool whole = std::ssize(row.known) == vocabulary_;
  row.tail = whole ? 0 : std::max(1 - sum, kLeastTail);
  for (auto& [token, probability] : row.known) probability /= sum + row.tail;
  row.tail /= sum + row.tail;
  return row;
}

}  // namespace alambic
