#include "alambic/rollout/filter.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <numeric>

#include "alambic/base/random.h"

namespace alambic::filter_test {
namespace {

std::vector<int32_t> keeps(const std::vector<float>& logits, const Sampling& sampling) {
  const Scan scanned = scan(logits);
  const std::vector<double> sums = block_weights(scanned, inverse(sampling.temperature));
  return filter(scanned, sampling, std::accumulate(sums.begin(), sums.end(), 0.0)).tokens;
}

// The definitions of filter.h with a full sort and doubles.
std::vector<int32_t> should_keep(const std::vector<float>& logits, const Sampling& sampling) {
  std::vector<int32_t> order(logits.size());
  std::iota(order.begin(), order.end(), 0);
  const auto logit = [&](int32_t token) { return logits[static_cast<size_t>(token)]; };
  std::ranges::sort(order, [&](int32_t a, int32_t b) {
    return logit(a) != logit(b) ? logit(a) > logit(b) : a < b;
  });
  const double largest = logit(order[0]);
  const auto weight = [&](int32_t t) {
    return std::exp((logit(t) - largest) / sampling.temperature);
  };
  if (sampling.top_k > 0 && sampling.top_k < std::ssize(order)) {
    const float last = logit(order[static_cast<size_t>(sampling.top_k - 1)]);
    std::erase_if(order, [&](int32_t t) { return logit(t) < last; });
  }
  if (sampling.top_p < 1) {
    double total = 0, before = 0;
    for (const int32_t t : order) total += weight(t);
    size_t size = 0;
    while (size < order.size() && (size == 0 || before < sampling.top_p * total)) {
      before += weight(order[size++]);
    }
    order.resize(size);
  }
  std::erase_if(order, [&](int32_t t) { return weight(t) < sampling.min_p; });
  std::ranges::sort(order);
  return order;
}

Sampling read(const nlohmann::json& json) {
  return {.temperature = json.value("temperature", 1.0),
          .top_k = json.value("top_k", int64_t{0}),
          .top_p = json.value("top_p", 1.0),
          .min_p = json.value("min_p", 0.0)};
}

// Which of equal logits transformers' top-p keeps is left to an unstable sort, so the kept logits
// are compared; where all are different that is the same as comparing tokens.
std::vector<float> sorted_logits(const std::vector<float>& logits,
                                 const std::vector<int32_t>& tokens) {
  std::vector<float> kept;
  for (const int32_t token : tokens) kept.push_back(logits[static_cast<size_t>(token)]);
  std::ranges::sort(kept);
  return kept;
}

// Among them ties at every threshold, k above the vocabulary, p = 0 and one-token rows.
TEST(Filter, KeepsWhatTransformersKeeps) {
  std::ifstream file(ALAMBIC_SOURCE_DIR "/tests/golden/sampling.json");
  const auto golden = nlohmann::json::parse(file);
  for (const auto& row : golden["cases"]) {
    const auto logits = row["logits"].get<std::vector<float>>();
    for (size_t i = 0; i < golden["settings"].size(); ++i) {
      const auto& settings = golden["settings"][i];
      EXPECT_EQ(sorted_logits(logits, keeps(logits, read(settings))),
                sorted_logits(logits, row["kept"][i]))
          << row["name"] << " " << settings;
    }
  }
}

// Sizes and shapes at which the prefilters (group maxima, the mean of the share that goes) work.
TEST(Filter, KeepsWhatTheFullSortKeeps) {
  for (const size_t size : {100, 512, 3000, 20000}) {
    for (const double deviation : {0.01, 1.0, 4.0}) {
      std::vector<float> logits(size);
      for (size_t i = 0; i < size; ++i) {
        logits[i] = static_cast<float>(deviation * normal({.seed = size, .sample = i}));
      }
      for (const Sampling& sampling :
           {Sampling{.top_k = 1}, Sampling{.top_k = 50}, Sampling{.top_k = 1000},
            Sampling{.top_p = 0.01}, Sampling{.top_p = 0.5}, Sampling{.top_p = 0.95},
            Sampling{.top_p = 0.999}, Sampling{.min_p = 0.05},
            Sampling{.temperature = 0.3, .top_p = 0.9}, Sampling{.temperature = 5, .min_p = 0.4},
            Sampling{.temperature = 2, .top_k = 400, .top_p = 0.9, .min_p = 0.02}}) {
        EXPECT_EQ(keeps(logits, sampling), should_keep(logits, sampling))
            << size << " logits, deviation " << deviation << ", T " << sampling.temperature
            << ", k " << sampling.top_k << ", p " << sampling.top_p << ", min " << sampling.min_p;
      }
    }
  }
}

}  // namespace
}  // namespace alambic::filter_test
