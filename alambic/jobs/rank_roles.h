// What each rank of a run is for.
#pragma once

#include <memory>
#include <string>

#include "alambic/dist/world.h"

namespace alambic {

/// Roles of a run's ranks. Without ranks of the teachers' own every rank learns, and grades what it
/// has written.
struct RankRoles {
  std::shared_ptr<const World> all = std::make_shared<World>();
  /// The ranks with this one's role.
  std::shared_ptr<const World> own = all;
  int64_t learners = 1;  ///< the first ranks of all; the others have the teachers alone

  bool apart() const { return learners < all->size(); }
  bool grades() const { return all->rank() >= learners; }
  /// "learner" or "teacher".
  std::string name() const { return grades() ? "teacher" : "learner"; }
};

/// The last `teacher_ranks` are the teachers' own. All ranks call it. An input error where none is
/// left to learn.
RankRoles rank_roles(std::shared_ptr<const World> all, int64_t teacher_ranks);

}  // namespace alambic
