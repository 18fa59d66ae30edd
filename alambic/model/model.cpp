#include "alambic/model/model.h"

namespace alambic {

at::TensorOptions Model::options() { return head().weight_VD.options().requires_grad(false); }

int64_t Model::parameters() {
  int64_t count = 0;
  visit([&](const std::string&, Tensor& tensor) { count += tensor.numel(); });
  return count;
}

}  // namespace alambic
