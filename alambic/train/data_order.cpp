#include "alambic/train/data_order.h"

#include <numeric>
#include <utility>

#include "alambic/base/random.h"

namespace alambic {

namespace {

// Fisher-Yates with a draw per place.
std::vector<int64_t> shuffled(uint64_t seed, uint64_t epoch, int64_t count) {
  std::vector<int64_t> order(count);
  std::iota(order.begin(), order.end(), 0);
  for (int64_t i = count - 1; i > 0; --i) {
    const Draw draw{seed, Stream::data_order, epoch, static_cast<uint64_t>(i)};
    std::swap(order[i], order[uniform_below(draw, static_cast<uint64_t>(i) + 1)]);
  }
  return order;
}

}  // namespace

std::vector<int64_t> DataOrder::batch(int64_t step, int64_t batch_size) {
  std::vector<int64_t> indices;
  for (int64_t i = step * batch_size; i < (step + 1) * batch_size; ++i) {
    if (i / count_ != epoch_) {
      epoch_ = i / count_;
      order_ = shuffled(seed_, static_cast<uint64_t>(epoch_), count_);
    }
    indices.push_back(order_[i % count_]);
  }
  return indices;
}

}  // namespace alambic
