#include "alambic/teacher/local.h"

namespace alambic {

LocalTeacher::LocalTeacher(std::shared_ptr<const Model> model, int64_t vocabulary)
    : model_(std::move(model)), vocabulary_(vocabulary) {}

Judgement LocalTeacher::grade(const Rollouts& rollouts) const {
  const at::NoGradGuard no_grad;
  const Tensor hidden_ND = model_->hidden(Pass(rollouts.sequences));
  return {.hidden_MD = hidden_ND.index_select(0, rollouts.graded_M()),
          .head = model_->head().cut(vocabulary_)};
}

}  // namespace alambic
