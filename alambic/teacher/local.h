#pragma once

#include <memory>

#include "alambic/flow/judgement.h"
#include "alambic/flow/rollouts.h"
#include "alambic/model/model.h"

namespace alambic {

/// A teacher in this process: one forward pass grades every answer token of the rollouts.
class LocalTeacher {
 public:
  /// `vocabulary`: the tokenizer's real size, to which the head is cut.
  LocalTeacher(std::unique_ptr<Model> model, int64_t vocabulary);

  Judgement grade(const Rollouts& rollouts) const;
  const Model& model() const { return *model_; }

 private:
  std::unique_ptr<Model> model_;
  int64_t vocabulary_;
};

}  // namespace alambic
