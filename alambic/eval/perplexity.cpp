#include "alambic/eval/perplexity.h"

#include <algorithm>
#include <cmath>

#include "alambic/base/error.h"
#include "alambic/objective/cross_entropy.h"

namespace alambic {

namespace {

constexpr int64_t positions_per_pass = 4096;

// The windows that begin at starts, as one packed pass; returns the sum of negative logarithms.
double pass_cross_entropy(const Model& model, const TokenSpool& tokens,
                          const std::vector<int64_t>& starts, int64_t window, int64_t vocabulary,
                          int64_t& predicted) {
  std::vector<std::vector<int32_t>> sequences;
  std::vector<int64_t> targets;
  for (const int64_t start : starts) {
    const std::vector<int32_t> read = tokens.read(start, std::min(window, tokens.size() - start));
    sequences.emplace_back(read.begin(), read.end() - 1);
    targets.insert(targets.end(), read.begin() + 1, read.end());
  }
  predicted += static_cast<int64_t>(targets.size());
  const at::Device device = model.head().weight_VD.device();
  const Packed packed = pack(sequences, device);
  return cross_entropy_loss(model.hidden(Pass(packed)), model.head().cut(vocabulary),
                            at::tensor(targets, at::kLong).to(device), 1)
      .sums.at("cross_entropy");
}

}  // namespace

Perplexity perplexity(const Model& model, const TokenSpool& tokens, int64_t window,
                      int64_t vocabulary) {
  const at::NoGradGuard no_grad;
  const int64_t count = tokens.size();
  if (count < 2) throw input_error("the text has {} tokens; perplexity needs two", count);
  if (window < 2) throw input_error("a window of {} token predicts none; it needs two", window);
  Perplexity result;
  double sum = 0;
  std::vector<int64_t> starts;
  for (int64_t start = 0; start + 1 < count; start += window) {
    starts.push_back(start);
    const bool last = start + window + 1 >= count;
    if (last || static_cast<int64_t>(starts.size()) * window >= positions_per_pass) {
      sum += pass_cross_entropy(model, tokens, starts, window, vocabulary, result.tokens);
      starts.clear();
    }
  }
  result.cross_entropy = sum / static_cast<double>(result.tokens);
  result.perplexity = std::exp(result.cross_entropy);
  return result;
}

}  // namespace alambic
