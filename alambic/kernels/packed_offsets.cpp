#include "alambic/kernels/packed_offsets.h"

#include <algorithm>
#include <limits>

#include "alambic/base/error.h"

namespace alambic::kernels {

const Tensor& PackedOffsets::on(at::Device device) const {
  if (!on_device_.defined() || on_device_.device() != device) {
    check(queries_.size() == keys_.size() && keys_.back() <= std::numeric_limits<int32_t>::max(),
          "packed offsets: {} positions of {} sequences do not fit int32", keys_.back(),
          sequences());
    std::vector<int32_t> both(queries_.begin(), queries_.end());
    both.insert(both.end(), keys_.begin(), keys_.end());
    on_device_ = at::tensor(both, at::kInt).view({2, sequences() + 1}).to(device);
  }
  return on_device_;
}

int64_t PackedOffsets::longest(const std::vector<int64_t>& offsets) {
  int64_t most = 0;
  for (size_t s = 0; s + 1 < offsets.size(); ++s) {
    most = std::max(most, offsets[s + 1] - offsets[s]);
  }
  return most;
}

}  // namespace alambic::kernels
