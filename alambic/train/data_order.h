#pragma once

#include <cstdint>
#include <vector>

#include "alambic/text/data/data_sources.h"

namespace alambic {

/// Order of the examples over the steps, a pure function of (seed, step), so a resumed run needs no
/// other cursor than its step.
///
/// Without weights: a fresh shuffle each epoch; an example comes again only after all others have
/// come. With weights: each place of a batch draws its source in these shares, and takes the next
/// of that source's own order, which is one of the first kind.
class DataOrder {
 public:
  DataOrder(uint64_t seed, int64_t count)
      : DataOrder(seed, std::vector<RowShare>{{.rows = count}}) {}
  /// Examples of the first share come first in the numbering, then those of the second. An input
  /// error where a share has no rows.
  DataOrder(uint64_t seed, const std::vector<RowShare>& shares);
  /// Indices in [0, count) of step `step` (from 0) with `batch_size` examples a step.
  std::vector<int64_t> batch(int64_t step, int64_t batch_size);

 private:
  struct Source {
    uint64_t seed = 0;
    int64_t first = 0, count = 0;  // its examples
    double below = 1;              // uniform draws below this one, and no earlier source's, are its
    int64_t epoch = -1;            // epoch of `order`, kept because it costs a pass over the data
    std::vector<int64_t> order = {};
    int64_t taken = 0;  // before place `place_`

    int64_t at(int64_t i);
  };
  size_t draw(int64_t place) const;

  uint64_t seed_;
  std::vector<Source> sources_;
  int64_t place_ = 0;  // places of a mixture whose draws are counted in `taken`
};

}  // namespace alambic
