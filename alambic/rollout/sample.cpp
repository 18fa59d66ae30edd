#include "alambic/rollout/sample.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "alambic/rollout/filter.h"

namespace alambic {

namespace {

// The place whose interval of the running sum holds `target`. Rounding may leave the target above
// the last sum; then it is the last place that has a weight.
template <class Weight>
size_t find_place(std::span<const Weight> weights, double& target) {
  size_t last = 0;
  for (size_t i = 0; i < weights.size(); ++i) {
    const auto weight = static_cast<double>(weights[i]);
    if (target < weight) return i;
    if (weight > 0) last = i;
    target -= weight;
  }
  return last;
}

int32_t draw_from_all(const Scan& scan, const std::vector<double>& sums, float inverse_temperature,
                      double target) {
  const size_t begin = find_place<double>(sums, target) * Scan::block;
  const auto block = scan.logits.subspan(begin, std::min(Scan::block, scan.logits.size() - begin));
  std::vector<float> weights(block.begin(), block.end());
  weigh(weights, scan.largest, inverse_temperature);
  return static_cast<int32_t>(begin + find_place<float>(weights, target));
}

int32_t draw_from(const Kept& kept, double coin) {
  double target = coin * std::accumulate(kept.weights.begin(), kept.weights.end(), 0.0);
  return kept.tokens[find_place<float>(kept.weights, target)];
}

int32_t most_likely(const Scan& scan) {
  return static_cast<int32_t>(std::ranges::find(scan.logits, scan.largest) - scan.logits.begin());
}

// `total`: the sum of all weights at this temperature.
float logp_of(const Scan& scanned, double total, double temperature, int32_t token) {
  const double logit = scanned.logits[static_cast<size_t>(token)];
  return static_cast<float>((logit - scanned.largest) / temperature - std::log(total));
}

}  // namespace

float log_probability(std::span<const float> logits_V, double temperature, int32_t token) {
  const Scan scanned = scan(logits_V);
  if (temperature == 0) temperature = 1;
  const std::vector<double> sums = block_weights(scanned, inverse(temperature));
  return logp_of(scanned, std::accumulate(sums.begin(), sums.end(), 0.0), temperature, token);
}

std::vector<std::pair<int32_t, float>> most_likely(std::span<const float> logits_V, int64_t count,
                                                   int32_t token, float logp) {
  const auto kept = static_cast<size_t>(std::min(count, std::ssize(logits_V)));
  std::vector<int32_t> ids;  // a heap whose first is the one to give way
  const auto before = [&](int32_t a, int32_t b) {
    const float x = logits_V[static_cast<size_t>(a)], y = logits_V[static_cast<size_t>(b)];
    return x != y ? x > y : a < b;
  };
  for (int32_t id = 0; kept > 0 && id < std::ssize(logits_V); ++id) {
    if (ids.size() == kept) {
      if (!before(id, ids.front())) continue;
      std::ranges::pop_heap(ids, before);
      ids.pop_back();
    }
    ids.push_back(id);
    std::ranges::push_heap(ids, before);
  }
  std::ranges::sort_heap(ids, before);
  std::vector<std::pair<int32_t, float>> likely;
  const double logit = logits_V[static_cast<size_t>(token)];
  for (const int32_t id : ids) {
    const double difference = logits_V[static_cast<size_t>(id)] - logit;
    likely.emplace_back(id, static_cast<float>(logp + difference));
  }
  return likely;
}

Drawn sample(std::span<const float> logits_V, const Sampling& sampling, double coin) {
  const Scan scanned = scan(logits_V);
  const bool greedy = sampling.temperature == 0;
  const double temperature = greedy ? 1 : sampling.temperature;
  const std::vector<double> sums = block_weights(scanned, inverse(temperature));
  const double total = std::accumulate(sums.begin(), sums.end(), 0.0);
  Drawn drawn;
  if (greedy) {
    drawn.token = most_likely(scanned);
  } else if (filters(sampling)) {
    drawn.token = draw_from(filter(scanned, sampling, total), coin);
  } else {
    drawn.token = draw_from_all(scanned, sums, inverse(temperature), coin * total);
  }
  drawn.logp = logp_of(scanned, total, temperature, drawn.token);
  return drawn;
}

}  // namespace alambic
