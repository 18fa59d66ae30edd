#include "alambic/tensor/normal_fill.h"

#include "alambic/base/error.h"

namespace alambic {

void fill_normal(const Tensor& tensor, double deviation, const Draw& first) {
  check(tensor.is_contiguous(), "fill_normal: a tensor that is not dense");
  auto* value = tensor.mutable_data_ptr<float>();
  at::parallel_for(0, tensor.numel(), 4096, [&](int64_t begin, int64_t end) {
    Draw draw = first;
    for (int64_t i = begin; i < end; ++i) {
      draw.sample = static_cast<uint64_t>(i);
      value[i] = static_cast<float>(deviation * normal(draw));
    }
  });
}

}  // namespace alambic
