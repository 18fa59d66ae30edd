#include "alambic/objective/teacher_head.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

namespace alambic {

TeacherHead teacher_head(const float* teacher, int64_t vocabulary, double log_sum, float top,
                         double temperature) {
  constexpr double half = 0.5;
  thread_local std::vector<int32_t> ids;
  ids.resize(vocabulary);
  std::iota(ids.begin(), ids.end(), 0);
  const auto likelier = [&](int32_t a, int32_t b) {
    return teacher[a] > teacher[b] || (teacher[a] == teacher[b] && a < b);
  };
  double mass = 0;
  int64_t sorted = 0;
  // Works up from a few candidates: a head of thousands is rare.
  for (int64_t wanted = 16; sorted < vocabulary; wanted *= 16) {
    const int64_t end = std::min(wanted, vocabulary);
    std::partial_sort(ids.begin() + sorted, ids.begin() + end, ids.end(), likelier);
    for (; sorted < end; ++sorted) {
      mass += std::exp((teacher[ids[sorted]] - top) / temperature - log_sum);
      if (mass >= half) return {ids.data(), sorted + 1};
    }
  }
  return {ids.data(), vocabulary};
}

}  // namespace alambic
