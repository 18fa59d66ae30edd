#pragma once

#include <memory>
#include <string>
#include <vector>

#include "alambic/dist/world.h"
#include "alambic/model/model.h"

namespace alambic {

class LayerGroup;
class LayerWeights;

using NamedTensors = std::vector<std::pair<std::string, Tensor>>;

struct AdamWOptions {
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
  double weight_decay = 0;
  /// Norms and biases are vectors; by default they are not decayed (as in GPT-2 and its heirs).
  bool decay_vectors = false;
};

/// A trained weight or a tensor of the optimizer's state, or the part of it that this rank has.
struct TensorPart {
  std::string name;
  std::vector<int64_t> shape;  ///< of the whole tensor
  int64_t first = 0;           ///< the part's place in the whole one, in numbers
  Tensor part;                 ///< whole or flat; shares the optimizer's or the weight's storage
  bool again = false;          ///< an earlier rank has the same part

  bool is_whole() const { return part.numel() == c10::multiply_integers(shape); }
};

/// AdamW (Loshchilov and Hutter, arXiv 1711.05101) with float32 moments and float32 master
/// weights: where the model's weights are narrower, they are rounded from the master each step.
/// Of a job of several ranks each has the moments and masters of its part of all numbers and
/// updates that part (ZeRO stage 1, Rajbhandari et al., arXiv 1910.02054); every number's update is
/// that of one process. With `layers` it is each rank's part of these groups (stages 2 and 3),
/// whose gradients are in parts too.
class AdamW {
 public:
  /// Takes every tensor of the model that requires a gradient, in the order of visit(), and then
  /// those beside it.
  AdamW(Model& model, const AdamWOptions& options, const NamedTensors& beside = {},
        std::shared_ptr<const World> world = std::make_shared<World>(),
        std::shared_ptr<LayerWeights> layers = nullptr);

  /// The gradients that are whole on every rank: zeros are made where none came.
  std::vector<Tensor> gradients() const;
  /// Global L2 norm of all gradients, float64. Not finite if any gradient is not.
  double gradient_norm() const;
  /// One step with the gradients multiplied by `scale`; then clears them. Of several ranks all step
  /// together, with the same gradients.
  void step(double learning_rate, double scale);
  void clear_gradients();
  int64_t steps() const { return steps_; }

  /// Parameters that are trained.
  NamedTensors weights() const;
  /// Everything a bit-exact resume needs besides the weights themselves: moments, masters that
  /// differ from the weights, under "<tensor>.exp_avg", "<tensor>.exp_avg_sq", "<tensor>.master".
  /// This rank's parts.
  std::vector<TensorPart> state() const;
  /// This rank's parts of the weights, which the update changes; and what it has of them between
  /// passes: whole ones, but of those that come and go its part.
  std::vector<TensorPart> weight_parts() const;
  std::vector<TensorPart> weights_here() const;
  /// Null: weights and gradients are whole on every rank.
  LayerWeights* layers() const { return layers_.get(); }
  const World& world() const { return *world_; }
  void set_steps(int64_t steps) { steps_ = steps; }

 private:
  struct Parameter {
    std::string name;
    Tensor weight;
    bool decays = false;
    LayerGroup* group = nullptr;  // null: in the row of all others
    std::vector<int64_t> shape;   // of the whole weight
    int64_t place = 0, row = 0;   // in a row of so many numbers
    int64_t first = 0;            // of the weight's numbers, the first that is this rank's
    Tensor own;                   // this rank's part of the weight, flat or whole
    Tensor master, mean, square;  // whole, or this rank's part, flat
  };
  // Of a tensor of the weight's shape what this rank has.
  static Tensor own_part(const Parameter& parameter, const Tensor& whole);
  // The gradient of the part; undefined: none came.
  static Tensor gradient_of(const Parameter& parameter);
  // The same, or the whole gradient where every rank has it.
  static Tensor counted_gradient_of(const Parameter& parameter);
  static Tensor part_of_row(const Parameter& parameter, const Tensor& row, int64_t first,
                            int64_t last);
  const World& world_of(const Parameter& parameter) const;
  TensorPart part_of(const Parameter& parameter, const char* what, const Tensor& part) const;
  void find_group(Parameter& parameter) const;
  void add(const std::string& name, const Tensor& tensor);
  void take_parts();
  void update(bool decaying, double learning_rate);

  AdamWOptions options_;
  std::shared_ptr<const World> world_;
  std::shared_ptr<LayerWeights> layers_;
  std::vector<Parameter> parameters_;
  int64_t numbers_ = 0;  // of all parameters without a group
  int64_t steps_ = 0;
};

}  // namespace alambic
