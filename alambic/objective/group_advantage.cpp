#include "alambic/objective/group_advantage.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>

#include "alambic/base/error.h"

namespace alambic {
namespace {

struct Moments {
  int64_t count = 0;
  double mean = 0, deviation = 0;
};

/// Moments of the scores that are there, without NaN.
Moments moments_of(std::span<const float> scores) {
  Moments moments;
  double sum = 0, squares = 0;
  for (const float score : scores) {
    if (std::isnan(score)) continue;
    ++moments.count;
    sum += score;
  }
  if (moments.count == 0) return moments;
  moments.mean = sum / static_cast<double>(moments.count);
  for (const float score : scores) {
    if (!std::isnan(score)) squares += (score - moments.mean) * (score - moments.mean);
  }
  if (moments.count > 1) {
    moments.deviation = std::sqrt(squares / static_cast<double>(moments.count - 1));
  }
  return moments;
}

bool all_alike(std::span<const float> scores) {
  float min = std::numeric_limits<float>::infinity(), max = -min;
  for (const float score : scores) {
    if (std::isnan(score)) continue;
    min = std::min(min, score);
    max = std::max(max, score);
  }
  return !(min < max);
}

}  // namespace

GroupAdvantages group_advantages(const std::vector<float>& scores, int64_t size,
                                 AdvantageKind kind) {
  const auto count = static_cast<int64_t>(scores.size());
  check(size > 0 && count > 0 && count % size == 0, "{} scores in groups of {}", count, size);
  GroupAdvantages result{.advantages = std::vector<double>(scores.size(), 0)};
  double deviations = 0, groups = 0;
  for (int64_t begin = 0; begin < count; begin += size) {
    const std::span group(scores.data() + begin, static_cast<size_t>(size));
    const Moments moments = moments_of(group);
    result.dropped += size - moments.count;
    if (moments.count > 0) {
      deviations += moments.deviation;
      ++groups;
    }
    if (all_alike(group)) {
      ++result.equal;
      continue;
    }
    const double divisor = kind == AdvantageKind::grpo ? moments.deviation + 1e-4 : 1;
    for (int64_t i = 0; i < size; ++i) {
      if (std::isnan(group[i])) continue;
      result.advantages[begin + i] = (group[i] - moments.mean) / divisor;
    }
  }
  const double nan = std::numeric_limits<double>::quiet_NaN();
  result.mean = groups > 0 ? moments_of(scores).mean : nan;
  result.deviation = groups > 0 ? deviations / groups : nan;
  return result;
}

}  // namespace alambic
