#include "alambic/jobs/grading.h"

#include "alambic/jobs/distill_plan.h"
#include "alambic/jobs/preflight/preflight.h"
#include "alambic/jobs/run_provenance.h"
#include "alambic/jobs/teacher_pool.h"

namespace alambic {

RunResult grade_for_learners(const DistillOptions& options, const RankRoles& roles,
                             RankObserver& observes) {
  const DistillPlan plan = plan_of_rank(options, roles);
  warn_or_refuse(preflight(plan));
  const TeacherPool pool(plan);
  const GradingRank rank{.all = roles.all,
                         .learners = roles.learners,
                         .teachers = roles.own,
                         .graders = pool.graders(),
                         .max_staleness = options.teachers.max_staleness,
                         .device = plan.load.device,
                         .on_phase = observes.on_phase()};
  rank.send_heads();
  hardware_of_ranks(roles);
  const auto ending = static_cast<RunEnding>(rank.grade());
  observes.write(options.run.out);
  return {.ending = ending};
}

}  // namespace alambic
