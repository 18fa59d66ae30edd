// Small random models on any device.
#pragma once

#include "alambic/model/side_by_side.h"
#include "alambic/model/tiny.h"

namespace alambic {

inline std::shared_ptr<Model> model_on(const Json& config, uint64_t seed, at::Device device,
                                       bool trainable, at::ScalarType dtype = at::kFloat) {
  std::shared_ptr<Model> model = random_model(config, seed, 1.5, dtype);
  model->visit([&](const std::string&, Tensor& tensor) {
    tensor = tensor.to(device).set_requires_grad(trainable);
  });
  model->move_buffers(device, dtype);
  lay_side_by_side(*model);
  return model;
}

}  // namespace alambic
