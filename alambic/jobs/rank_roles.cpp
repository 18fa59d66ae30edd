#include "alambic/jobs/rank_roles.h"

#include "alambic/base/error.h"
#include "alambic/base/log.h"

namespace alambic {

RankRoles rank_roles(std::shared_ptr<const World> all, int64_t teacher_ranks) {
  RankRoles roles{.all = all, .own = all, .learners = all->size() - teacher_ranks};
  if (teacher_ranks == 0) return roles;
  if (roles.learners < 1) {
    throw input_error("--teacher-ranks {} leaves none of the {} ranks to learn", teacher_ranks,
                      all->size())
        .with_hint(fmt::format("alambic launch --nproc-per-node {} distill …", teacher_ranks + 1));
  }
  roles.own = all->split(roles.learners);
  say("{} of {} ranks learn, the others have the teachers and grade", roles.learners, all->size());
  return roles;
}

}  // namespace alambic
