#include "alambic/nn/module.h"

namespace alambic {

Tensor placeholder(at::IntArrayRef shape) {
  return at::empty(shape, at::TensorOptions().dtype(at::kFloat).device(at::kMeta));
}

}  // namespace alambic
