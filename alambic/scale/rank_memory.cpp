#include "alambic/scale/rank_memory.h"

#include <cmath>

#include "alambic/scale/cache_pages.h"
#include "alambic/scale/grading_pass.h"

namespace alambic {
namespace {

// Rows of logits that a chunk of the loss has, with their gradient, in float32.
constexpr double chunk_rows = 2048;

double teacher_bytes(const ScaleJob& job) {
  const ModelSizes& teacher = job.teacher;
  const double element = job.work.teacher_element;
  const double layer = job.divides_teacher_experts() ? teacher.largest_rest : teacher.largest_layer;
  const double passing = element * (teacher.outside + 2 * layer);
  switch (job.layout.teacher) {
    case TeacherWeights::none:
      return 0;
    case TeacherWeights::resident:
      return element * teacher.parameters;
    case TeacherWeights::sharded:
      return passing +
             element * teacher.in_layers() / static_cast<double>(job.layout.teacher_shard());
    case TeacherWeights::host:
      return passing;
  }
  return 0;
}

// The student's numbers as they lie here: what is whole while completions are written, and a part
// of what comes and goes.
std::vector<RankBytes> student_bytes(const ScaleJob& job) {
  const ModelSizes& student = job.student;
  const ScaleLayout& layout = job.layout;
  const auto shard = static_cast<double>(layout.shard);
  const auto together = static_cast<double>(layout.tensor_parallel);
  const bool divided = job.divides_student_experts(), gathered = layout.zero_stage == 3;
  const double experts = divided ? student.experts : 0, rest = student.in_layers() - experts;
  double whole = student.parameters;
  if (together > 1) {
    const double layer = divided ? student.largest_rest : student.largest_layer;
    whole = student.outside + (gathered ? 2 * layer : rest);
  }
  const double part = (gathered ? student.in_layers() : experts) / shard;
  std::vector<RankBytes> parts = {{"student's weights", job.work.element * whole},
                                  {"student's shard", job.work.element * part}};
  if (together > 1) {
    // Experts that are divided already write where they are.
    parts.push_back({"student's part for writing", job.work.element * rest / together});
  }
  return parts;
}

}  // namespace

std::vector<RankBytes> memory_of_rank(const ScaleJob& job) {
  const ModelSizes& student = job.student;
  const ScaleWork& work = job.work;
  const ScaleLayout& layout = job.layout;
  const auto shard = static_cast<double>(layout.shard);
  const int64_t stage = layout.zero_stage;
  const double state = work.element < 4 ? 12 : 8;
  const double over_all = static_cast<double>(layout.learners());
  const double state_share = stage == 0 ? 1 : stage == 1 ? over_all : shard;
  const auto together = static_cast<double>(layout.tensor_parallel);
  std::vector<RankBytes> parts = student_bytes(job);
  parts.push_back(
      {"gradients", stage < 2 ? work.element * student.trained : 4 * student.trained / shard});
  parts.push_back({"optimizer", state * student.trained / state_share});
  const double rows = work.completions / static_cast<double>(layout.learners());
  const double length = work.prompt + work.completion;
  if (layout.teacher_devices == 0) {
    parts.push_back({"teacher", teacher_bytes(job)});
  } else {
    parts.push_back({"teacher's head", work.state_element() * job.teacher.head});
    parts.push_back({"grades", work.state_element() * std::ceil(rows / work.micro_passes) *
                                   work.completion * job.teacher.width});
  }
  const double slots = std::min(work.slots, std::ceil(rows * together)) / together;
  const double cached = together > 1
                            ? slots * length
                            : cached_tokens(slots, work.shared, work.prompt, work.completion);
  parts.push_back({"answers' cache", cached * student.cache * work.element});
  // Wide sums and softmaxes are kept in float32 in part (jobs/preflight/memory_plan.cpp).
  const double kept = std::max(work.element, 4.0);
  const double numbers = work.recompute
                             ? student.layers * student.width + student.activations / student.layers
                             : student.activations;
  parts.push_back({"learning pass", kept * std::ceil(rows / work.micro_passes) * length * numbers});
  parts.push_back({"logits' chunks", 8 * chunk_rows * student.vocabulary});
  std::erase_if(parts, [](const RankBytes& part) { return part.bytes == 0; });
  return parts;
}

std::vector<RankBytes> memory_of_teacher_rank(const ScaleJob& job) {
  if (job.layout.teacher_devices == 0) return {};
  const ModelSizes& teacher = job.teacher;
  const ScaleWork& work = job.work;
  const double rows = work.completions / static_cast<double>(job.layout.teacher_devices);
  const double tokens = std::min(rows * (work.prompt + work.completion),
                                 static_cast<double>(gathered_grading_pass_tokens));
  return {{"teacher", teacher_bytes(job)},
          {"grading pass", 4 * tokens * 2 * teacher.activations / teacher.layers},
          {"grades", work.state_element() * rows * work.completion * teacher.width}};
}

double total(const std::vector<RankBytes>& parts) {
  double sum = 0;
  for (const RankBytes& part : parts) sum += part.bytes;
  return sum;
}

double host_memory_of_node(const ScaleJob& job) {
  if (job.layout.teacher != TeacherWeights::host) return 0;
  return job.work.teacher_element * job.teacher.parameters;
}

}  // namespace alambic
