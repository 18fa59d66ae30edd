#include "alambic/rollout/filter.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <iterator>
#include <limits>
#include <numeric>

namespace alambic {

namespace {

struct Candidate {
  float logit;
  int32_t token;
  float weight;
};

bool before(const Candidate& a, const Candidate& b) {
  return a.logit != b.logit ? a.logit > b.logit : a.token < b.token;
}

float nth_largest(std::vector<float> values, size_t n) {
  std::ranges::nth_element(values, values.begin() + static_cast<ptrdiff_t>(n - 1),
                           std::greater<>());
  return values[n - 1];
}

// A logit below which no token can stay, found without looking at every token. It may be too low,
// never too high: the filters decide among the candidates above it.
float lowest_candidate(const Scan& scan, const Sampling& sampling, double total) {
  const double slack = 1e-4;
  const auto at_weight = [&](double weight) {
    return static_cast<float>(scan.largest + sampling.temperature * (std::log(weight) - slack));
  };
  if (sampling.top_k > 0) {
    // The k largest maxima of groups are k tokens, so the k-th largest token is not below them.
    const auto k = static_cast<size_t>(sampling.top_k);
    return k <= scan.maxima.size() ? nth_largest(scan.maxima, k)
                                   : std::numeric_limits<float>::lowest();
  }
  if (sampling.top_p < 1) {
    // All tokens below the mean of the share that goes hold less than that share together.
    return at_weight((1 - sampling.top_p) * total / static_cast<double>(scan.logits.size()));
  }
  return at_weight(sampling.min_p);
}

// Every token with at least this logit, in the order of ids.
std::vector<Candidate> collect(const Scan& scan, float lowest) {
  std::vector<Candidate> candidates;
  const size_t size = scan.logits.size();
  for (size_t begin = 0, group = 0; begin < size; begin += Scan::block, group += Scan::lanes) {
    const auto maxima = std::span(scan.maxima).subspan(group, Scan::lanes);
    if (*std::ranges::max_element(maxima) < lowest) continue;
    for (size_t i = begin; i < std::min(begin + Scan::block, size); ++i) {
      if (scan.logits[i] >= lowest) candidates.push_back({scan.logits[i], static_cast<int32_t>(i)});
    }
  }
  return candidates;
}

void weigh_all(std::vector<Candidate>& candidates, float largest, double temperature) {
  std::vector<float> values(candidates.size());
  std::ranges::transform(candidates, values.begin(), &Candidate::logit);
  weigh(values, largest, inverse(temperature));
  for (size_t i = 0; i < values.size(); ++i) candidates[i].weight = values[i];
}

void keep_top_k(std::vector<Candidate>& candidates, size_t k) {
  if (k >= candidates.size()) return;
  std::vector<float> logits(candidates.size());
  std::ranges::transform(candidates, logits.begin(), &Candidate::logit);
  const float last = nth_largest(std::move(logits), k);
  std::erase_if(candidates, [&](const Candidate& c) { return c.logit < last; });
}

double sum(std::span<const Candidate> candidates) {
  return std::accumulate(candidates.begin(), candidates.end(), 0.0,
                         [](double total, const Candidate& c) { return total + c.weight; });
}

// Bins of falling logits with the sum of their weights: the bin in which the sum from the top
// reaches `share` holds the last token that stays.
std::vector<Candidate> bin_of_last(std::span<const Candidate> candidates, double share,
                                   double& above) {
  const auto [low, high] = std::ranges::minmax_element(candidates, {}, &Candidate::logit);
  const double top = high->logit, range = top - low->logit;
  constexpr size_t bins = 256;
  const double scale = range > 0 ? (bins - 1) / range : 0;
  const auto bin = [&](const Candidate& c) { return static_cast<size_t>((top - c.logit) * scale); };
  std::array<double, bins> sums{};
  for (const Candidate& c : candidates) sums[bin(c)] += c.weight;
  size_t last = 0;
  while (last + 1 < bins && above + sums[last] < share) above += sums[last++];
  while (last > 0 && sums[last] == 0) above -= sums[--last];
  std::vector<Candidate> inside;
  std::ranges::copy_if(candidates, std::back_inserter(inside),
                       [&](const Candidate& c) { return bin(c) == last; });
  return inside;
}

// Narrows the last token that stays down to a bin, then bisects: each round orders only the half
// that holds it, so the time is linear in the candidates.
void keep_top_p(std::vector<Candidate>& candidates, double share) {
  double above = 0;
  std::vector<Candidate> inside = bin_of_last(candidates, share, above);
  std::span<Candidate> open = inside;
  while (open.size() > 1) {
    const size_t half = open.size() / 2;
    std::ranges::nth_element(open, open.begin() + static_cast<ptrdiff_t>(half), before);
    const double first = sum(open.first(half));
    if (above + first >= share) {
      open = open.first(half);
    } else {
      above += first;
      open = open.subspan(half);
    }
  }
  const Candidate last = open.front();
  std::erase_if(candidates, [&](const Candidate& c) { return before(last, c); });
}

}  // namespace

bool filters(const Sampling& sampling) {
  return sampling.top_k > 0 || sampling.top_p < 1 || sampling.min_p > 0;
}

Kept filter(const Scan& scan, const Sampling& sampling, double total) {
  std::vector<Candidate> candidates = collect(scan, lowest_candidate(scan, sampling, total));
  if (sampling.top_k > 0) keep_top_k(candidates, static_cast<size_t>(sampling.top_k));
  weigh_all(candidates, scan.largest, sampling.temperature);
  if (sampling.top_p < 1) {
    keep_top_p(candidates, sampling.top_p * (sampling.top_k > 0 ? sum(candidates) : total));
  }
  std::erase_if(candidates, [&](const Candidate& c) { return c.weight < sampling.min_p; });
  Kept kept;
  for (const Candidate& c : candidates) {
    kept.tokens.push_back(c.token);
    kept.weights.push_back(c.weight);
  }
  return kept;
}

}  // namespace alambic
