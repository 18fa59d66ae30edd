#include "alambic/scale/step_time.h"

#include <algorithm>
#include <cmath>

namespace alambic {
namespace {

// `rows` of a device; those that write together have the rows of all of them, and each a part of
// the work for every one.
double generate_seconds(const ScaleJob& job, const Efficiency& efficiency, double rows) {
  const ModelSizes& student = job.student;
  const auto together = static_cast<double>(job.layout.tensor_parallel);
  rows *= together;
  const ScaleWork& work = job.work;
  const DeviceKind& device = job.device;
  const double prompts = std::max(1.0, rows / work.shared);
  const double prefill = 2 * student.active() * prompts * work.prompt / device.bf16;
  double decode = 0;
  // Slots are filled once after the other.
  for (double left = rows; left > 0; left -= work.slots) {
    const double side_by_side = std::min(left, work.slots);
    const double cache = side_by_side * (work.prompt + work.completion / 2) * student.cache;
    const double bytes = work.element * (student.read_by(side_by_side) + cache);
    const double flops = 2 * (student.active() + student.head) * side_by_side;
    decode += work.completion * std::max(bytes / device.bandwidth, flops / device.bf16);
  }
  return (prefill / efficiency.prefill + decode / efficiency.decode) / together;
}

double grade_seconds(const ScaleJob& job, const Efficiency& efficiency, double rows) {
  const ScaleWork& work = job.work;
  if (job.layout.teacher == TeacherWeights::none) return 0;
  const double pace = work.fp8_teacher ? job.device.fp8 : job.device.bf16;
  const double flops = 2 * job.teacher.active() * rows * (work.prompt + work.completion);
  return flops / pace / efficiency.teacher;
}

// With the loss: both heads' logits, and the gradients of the student's.
double learn_seconds(const ScaleJob& job, const Efficiency& efficiency, double rows) {
  const ModelSizes& student = job.student;
  const ScaleWork& work = job.work;
  const double frozen = student.trained < student.in_layers() ? 4 : 6;  // no gradient of weights
  const double flops = (work.recompute ? frozen + 2 : frozen) * student.active() * rows *
                       (work.prompt + work.completion);
  const double heads =
      2 * student.vocabulary * (job.teacher.width + 3 * student.width) * rows * work.completion;
  return (flops / efficiency.learn + heads / efficiency.loss) / job.device.bf16;
}

double update_seconds(const ScaleJob& job) {
  const int64_t stage = job.layout.zero_stage;
  const double share = stage == 0   ? 1
                       : stage == 1 ? static_cast<double>(job.layout.learners())
                                    : static_cast<double>(job.layout.shard);
  return 30 * job.student.trained / share / job.device.bandwidth;
}

// On devices of its own the teacher grades the next micro-pass while the student learns from one:
// what is left of grading is what learning waits for.
void grade_beside_learning(double passes, StepTime& time) {
  double& grade = time.phases[1].all;
  const double learn = time.phases[2].all;
  const double both = (grade + learn + (passes - 1) * std::max(grade, learn)) / passes;
  grade = both - learn;
}

}  // namespace

StepTime step_time(const ScaleJob& job, const Efficiency& efficiency) {
  const double rows = job.work.completions / static_cast<double>(job.layout.learners());
  const double graded = job.work.completions / static_cast<double>(job.layout.graders());
  StepTime time;
  time.phases = {{"generate", generate_seconds(job, efficiency, rows)},
                 {"grade", grade_seconds(job, efficiency, graded)},
                 {"learn", learn_seconds(job, efficiency, rows)},
                 {"update", update_seconds(job)}};
  for (const Traffic& message : traffic_of(job)) {
    time.phases[static_cast<size_t>(message.beside)].traffic += seconds_of(message, job.device);
  }
  for (PhaseSeconds& phase : time.phases) {
    // Gathers for completions come before the first token, and the update needs all gradients.
    const bool beside = phase.name == "grade" || phase.name == "learn";
    phase.all = std::max(phase.compute, phase.traffic) +
                (beside ? 1 - efficiency.overlap : 1) * std::min(phase.compute, phase.traffic);
  }
  if (job.layout.teacher_devices > 0) grade_beside_learning(job.work.micro_passes, time);
  double most = 0;
  for (const PhaseSeconds& phase : time.phases) {
    time.seconds += phase.all;
    if (phase.all > most) {
      most = phase.all;
      time.dominant = phase.name;
    }
  }
  time.tokens_per_second = job.work.tokens() / time.seconds;
  return time;
}

}  // namespace alambic
