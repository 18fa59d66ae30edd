#include "alambic/train/accompany.h"

#include <algorithm>

#include "alambic/train/rank_exchange.h"

namespace alambic {

int64_t more_elsewhere(const World& world, int64_t own) {
  return largest_of_ranks(world, own, "counting micro-batches") - own;
}

void accompany(int64_t micro_batches, LayerWeights* student,
               const std::vector<std::shared_ptr<LayerWeights>>& teachers) {
  for (int64_t i = 0; i < micro_batches; ++i) {
    for (size_t t = 0; t < std::max<size_t>(1, teachers.size()); ++t) {
      if (t < teachers.size() && teachers[t]) teachers[t]->accompany_forward();
      if (t == 0 && student != nullptr) student->accompany_forward();
    }
    if (student != nullptr) student->accompany_backward();
  }
}

}  // namespace alambic
