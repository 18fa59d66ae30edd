#pragma once

#include <string>
#include <vector>

#include "alambic/model/model.h"

namespace alambic {

using NamedTensors = std::vector<std::pair<std::string, Tensor>>;

struct AdamWOptions {
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
  double weight_decay = 0;
  /// Norms and biases are vectors; by default they are not decayed (as in GPT-2 and its heirs).
  bool decay_vectors = false;
};

/// AdamW (Loshchilov and Hutter, arXiv 1711.05101) with float32 moments and float32 master
/// weights: where the model's weights are narrower, they are rounded from the master each step.
class AdamW {
 public:
  /// Takes every tensor of the model that requires a gradient, in the order of visit(), and then
  /// those beside it.
  AdamW(Model& model, const AdamWOptions& options, const NamedTensors& beside = {});

  /// The gradient of every parameter, in the order of weights(): zeros are made where none came.
  std::vector<Tensor> gradients() const;
  /// Global L2 norm of all gradients, float64. Not finite if any gradient is not.
  double gradient_norm() const;
  /// One step with the gradients multiplied by `scale`; then clears them.
  void step(double learning_rate, double scale);
  void clear_gradients();
  int64_t steps() const { return steps_; }

  /// Parameters that are trained.
  NamedTensors weights() const;
  /// Everything a bit-exact resume needs besides the weights themselves: moments, masters that
  /// differ from the weights, under "<tensor>.exp_avg", "<tensor>.exp_avg_sq", "<tensor>.master".
  NamedTensors state() const;
  void set_steps(int64_t steps) { steps_ = steps; }

 private:
  struct Parameter {
    std::string name;
    Tensor weight, master, mean, square;
    bool decays = false;
  };
  void add(const std::string& name, const Tensor& tensor);
  void update(bool decaying, double learning_rate);

  AdamWOptions options_;
  std::vector<Parameter> parameters_;
  int64_t steps_ = 0;
};

}  // namespace alambic
