#include "alambic/teacher/local.h"

#include "alambic/nn/recompute.h"

namespace alambic {

LocalTeacher::LocalTeacher(std::shared_ptr<const Model> model, int64_t vocabulary,
                           std::vector<int64_t> layers, std::shared_ptr<LayerWeights> weights)
    : model_(std::move(model)),
      vocabulary_(vocabulary),
      layers_(std::move(layers)),
      weights_(std::move(weights)) {}

TeacherOutput LocalTeacher::evaluate(const Rollouts& rollouts) const {
  const at::NoGradGuard no_grad;
  const WithWeights scope(weights_.get());
  LayerOutputs outputs{.layers = layers_};
  Pass pass(rollouts.sequences);
  pass.outputs = &outputs;
  const Tensor hidden_ND = model_->hidden(pass), loss_positions_M = rollouts.loss_positions_M();
  HiddenStates states{.hidden_MD = hidden_ND.index_select(0, loss_positions_M), .head = head()};
  for (const int64_t layer : layers_) {
    states.layers_MD.push_back(outputs.x_ND.at(layer).index_select(0, loss_positions_M));
  }
  return states;
}

}  // namespace alambic
