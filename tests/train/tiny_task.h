// A task without a loss, for tests of the trainer.
#pragma once

#include <functional>

#include "alambic/train/training_task.h"

namespace alambic {

/// Gives every weight the same gradient; what it says and gives can be set per step.
struct TinyTask : TrainingTask {
  Model& model;
  std::function<double(int64_t)> loss = [](int64_t) { return 1.0; };
  std::function<double(int64_t)> gradient = [](int64_t) { return 0.01; };
  std::function<void(int64_t)> after = [](int64_t) {};
  std::function<Metrics(int64_t)> extra = [](int64_t) { return Metrics(); };

  explicit TinyTask(Model& model) : model(model) {}
  StepReport forward_backward(int64_t step, const PhaseCallback& phase) override {
    phase("learn");
    model.visit([&](const std::string&, Tensor& tensor) {
      tensor.mutable_grad() = at::full(tensor.sizes(), gradient(step));
    });
    after(step);
    return {.loss = loss(step),
            .tokens = 1,
            .extra = extra(step),
            .seconds = {{"learn_seconds", 1e-3}}};
  }
};

}  // namespace alambic
