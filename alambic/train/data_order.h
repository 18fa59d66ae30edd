#pragma once

#include <cstdint>
#include <vector>

namespace alambic {

/// Order of the examples over the steps: a fresh shuffle each epoch, a pure function of (seed,
/// step), so a resumed run needs no other cursor than its step. An example comes again only after
/// all others have come.
class DataOrder {
 public:
  DataOrder(uint64_t seed, int64_t count) : seed_(seed), count_(count) {}
  /// Indices in [0, count) of step `step` (from 0) with `batch_size` examples a step.
  std::vector<int64_t> batch(int64_t step, int64_t batch_size);

 private:
  uint64_t seed_;
  int64_t count_;
  int64_t epoch_ = -1;  ///< epoch of `order_`, kept because it costs a pass over the data
  std::vector<int64_t> order_;
};

}  // namespace alambic
