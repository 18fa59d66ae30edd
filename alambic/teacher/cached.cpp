#include "alambic/teacher/cached.h"

namespace alambic {

const Head& HeadCache::take(size_t number) {
  if (which_ != number) {
    resident_ = {};  // before the next is loaded
    resident_ = loads_.at(number)();
    which_ = number;
  }
  return resident_;
}

TeacherOutput CachedTeacher::evaluate(const Rollouts& rollouts) const {
  TeacherOutput output = cache_->read(rollouts);
  if (auto* states = std::get_if<HiddenStates>(&output)) states->head = head_cache_->take(number_);
  return output;
}

}  // namespace alambic
