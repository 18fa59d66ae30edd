#include "alambic/scale/layouts.h"

#include <algorithm>
#include <cmath>

namespace alambic {
namespace {

std::vector<TeacherWeights> teacher_ways(const ScaleJob& job, const LayoutChoice& choice) {
  if (job.teacher.parameters == 0) return {TeacherWeights::none};
  if (choice.teacher) return {*choice.teacher};
  return {TeacherWeights::resident, TeacherWeights::sharded, TeacherWeights::host};
}

std::vector<int64_t> shards(const ScaleJob& job, const LayoutChoice& choice) {
  const int64_t learners = job.layout.learners();
  if (choice.expert_parallel.value_or(1) > 1) return {std::min(*choice.expert_parallel, learners)};
  if (choice.shard) return {std::min(*choice.shard, learners)};
  std::vector<int64_t> sizes = {std::min(job.layout.node(), learners)};
  if (learners > job.layout.node()) sizes.push_back(learners);
  return sizes;
}

double largest_of(const ScalePlan& plan) {
  return std::max(total(plan.memory), total(plan.teacher_memory));
}

// As few passes as fit: 1, 2, 4, … up to one for each completion.
ScalePlan with_passes(ScaleJob job) {
  const double rows =
      std::max(1.0, std::ceil(job.work.completions / static_cast<double>(job.layout.learners())));
  ScalePlan plan = plan_of(job);
  for (double passes = 2; !plan.fits && passes < 2 * rows; passes *= 2) {
    job.work.micro_passes = std::min(passes, rows);
    plan = plan_of(job);
  }
  return plan;
}

bool is_better(const ScalePlan& one, const ScalePlan& other) {
  if (one.fits != other.fits) return one.fits;
  return one.fits ? one.time.seconds < other.time.seconds : largest_of(one) < largest_of(other);
}

}  // namespace

ScalePlan plan_of(const ScaleJob& job) {
  ScalePlan plan{.job = job,
                 .memory = memory_of_rank(job),
                 .teacher_memory = memory_of_teacher_rank(job),
                 .time = step_time(job)};
  plan.fits = largest_of(plan) <= usable_memory * job.device.memory;
  return plan;
}

namespace {

// With what is chosen of devices that write together and that divide experts, else none do.
ScalePlan best_plan_of(const ScaleJob& job, const LayoutChoice& choice) {
  std::optional<ScalePlan> best;
  const bool divided = choice.expert_parallel.value_or(1) > 1 && job.student.experts_of_layer > 0;
  std::vector<int64_t> stages = {2, 3};  // whose ranks divide a student's experts
  if (!divided) stages.insert(stages.begin(), 1);
  if (choice.zero_stage) stages = {*choice.zero_stage};
  for (const int64_t shard : shards(job, choice)) {
    for (const int64_t stage : stages) {
      for (const TeacherWeights teacher : teacher_ways(job, choice)) {
        ScaleJob tried = job;
        tried.layout.zero_stage = stage;
        tried.layout.shard = shard;
        tried.layout.teacher = teacher;
        tried.layout.tensor_parallel = choice.tensor_parallel.value_or(1);
        tried.layout.expert_parallel = choice.expert_parallel.value_or(1);
        ScalePlan plan = with_passes(tried);
        if (!best || is_better(plan, *best)) best = std::move(plan);
      }
    }
  }
  return *best;
}

bool divides(const ModelSizes& model, int64_t ranks) {
  return model.experts_of_layer > 0 && model.experts_of_layer % ranks == 0;
}

// Choices beside what is asked for, with so many devices that write together or divide experts.
std::vector<LayoutChoice> choices_beside(const ScaleJob& job, const LayoutChoice& asked,
                                         int64_t size) {
  std::vector<LayoutChoice> choices;
  // Ranks that write together are those that divide experts.
  const auto add = [&](const LayoutChoice& choice) {
    const int64_t together = choice.tensor_parallel.value_or(1);
    const int64_t apart = choice.expert_parallel.value_or(1);
    if (together == 1 || apart == 1 || together == apart) choices.push_back(choice);
  };
  LayoutChoice more = asked;
  if (!asked.tensor_parallel && size <= job.student.most_together) {
    more.tensor_parallel = size;
    add(more);
  }
  if (asked.expert_parallel || asked.shard) return choices;
  if (divides(job.student, size) || divides(job.teacher, size)) {
    more.expert_parallel = size;
    add(more);
  }
  return choices;
}

}  // namespace

ScalePlan best_plan(const ScaleJob& job, const LayoutChoice& choice) {
  ScalePlan best = best_plan_of(job, choice);
  const int64_t most = std::min(job.layout.node(), job.layout.learners());
  for (int64_t size = 2; !best.fits && size <= most; size *= 2) {
    if (job.layout.learners() % size != 0) continue;
    for (const LayoutChoice& more : choices_beside(job, choice, size)) {
      ScalePlan plan = best_plan_of(job, more);
      if (is_better(plan, best)) best = std::move(plan);
    }
  }
  return best;
}

}  // namespace alambic
