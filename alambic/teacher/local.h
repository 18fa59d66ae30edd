#pragma once

#include <memory>

#include "alambic/model/model.h"
#include "alambic/teacher/teacher.h"

namespace alambic {

class LayerWeights;

/// A teacher in this process: one forward pass grades every completion token of the rollouts. Its
/// dtype is its own: objectives widen hidden states and head chunk by chunk.
class LocalTeacher : public Teacher {
 public:
  /// `vocabulary`: the tokenizer's real size, to which the head is cut. The model may be the
  /// student itself (self-distillation from the weights as they are at each step). `layers`:
  /// those that a teacher output holds beside (nn/layer_outputs.h). `weights`: those of its layers,
  /// where they are not all here; ranks then grade together.
  LocalTeacher(std::shared_ptr<const Model> model, int64_t vocabulary,
               std::vector<int64_t> layers = {}, std::shared_ptr<LayerWeights> weights = nullptr);

  TeacherOutput evaluate(const Rollouts& rollouts) const override;
  Head head() const { return model_->head().cut(vocabulary_); }
  const Model& model() const { return *model_; }
  const std::shared_ptr<LayerWeights>& weights() const { return weights_; }

 private:
  std::shared_ptr<const Model> model_;
  int64_t vocabulary_;
  std::vector<int64_t> layers_;
  std::shared_ptr<LayerWeights> weights_;
};

}  // namespace alambic
