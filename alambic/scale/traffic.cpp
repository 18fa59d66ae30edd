#include "alambic/scale/traffic.h"

#include <algorithm>
#include <cmath>

#include "alambic/scale/grading_pass.h"

namespace alambic {
namespace {

constexpr double gradient_element = 4;  // reduced in float32 whatever the weights are

double others(double ranks) { return (ranks - 1) / ranks; }

// Passes of a device's teacher in a step; one of its own joins what all learners ask for.
double passes_of_teacher(const ScaleJob& job) {
  if (job.layout.teacher_devices == 0) return job.work.micro_passes;
  const double tokens = job.work.tokens() / static_cast<double>(job.layout.teacher_devices);
  return std::ceil(tokens / static_cast<double>(gathered_grading_pass_tokens));
}

// Numbers that a device with so many tokens sends to other devices' experts in a pass, where all
// experts are used alike, each token once to a device: as many come here.
double rows_to_experts(const ModelSizes& model, double tokens, double ranks) {
  const double experts = static_cast<double>(model.experts_of_layer);
  const double chosen = std::round(model.expert_share * experts);
  double none = 1;  // that a token chooses none of a device's
  for (double i = 0; i < chosen; ++i) none *= (experts * others(ranks) - i) / (experts - i);
  return tokens * model.routed / chosen * model.width * (ranks - 1) * (1 - std::max(0.0, none));
}

}  // namespace

std::vector<Traffic> traffic_of(const ScaleJob& job) {
  const ScaleLayout& layout = job.layout;
  const ModelSizes& student = job.student;
  const auto all = static_cast<double>(layout.learners());
  const auto shard = static_cast<double>(layout.shard);
  const double passes = job.work.micro_passes;
  const double gradients = gradient_element * student.trained;
  const double outside = gradient_element * student.trained_outside;
  const double weights = job.work.element * student.trained;
  const double layers = student.layers;
  const bool divided = job.divides_student_experts();
  const double experts = divided ? student.experts : 0;
  const double of_experts = divided ? gradient_element * student.trained_experts : 0;
  std::vector<Traffic> messages;
  const auto add = [&](const char* name, double bytes, Beside beside, double ranks,
                       double exchanges) {
    const bool between_nodes = ranks > static_cast<double>(layout.node());
    if (bytes > 0) messages.push_back({name, bytes, beside, ranks, exchanges, between_nodes});
  };
  if (layout.zero_stage < 2) {
    add("gradients", 2 * gradients * others(all), Beside::update, all, 1);
    if (layout.zero_stage == 1) add("weights", weights * others(all), Beside::update, all, 1);
  } else {
    const double copies = layout.copies();
    add("layers' gradients", passes * (gradients - outside - of_experts) * others(shard),
        Beside::learn, shard, passes * layers);
    add("other gradients", outside * others(shard), Beside::update, shard, 1);
    if (copies > 1) {
      messages.push_back({"gradients between copies", 2 * gradients / shard * others(copies),
                          Beside::update, copies, 1, layout.devices > layout.node()});
    }
    // Experts that are divided come where a device writes alone.
    const bool whole = layout.tensor_parallel == 1;
    if (layout.zero_stage == 2) {
      add("weights", (weights - job.work.element / gradient_element * of_experts) * others(shard),
          Beside::update, shard, 1);
      if (whole) {
        add("weights for completions", job.work.element * experts * others(shard), Beside::generate,
            shard, layers);
      }
    } else {
      const double in_layers = job.work.element * (student.in_layers() - experts) * others(shard);
      add("other weights", job.work.element * student.trained_outside * others(shard),
          Beside::update, shard, 1);
      add("weights for learning", 2 * passes * in_layers, Beside::learn, shard,
          2 * passes * layers);
      const double more = whole ? job.work.element * experts * others(shard) : 0;
      add("weights for completions", in_layers + more, Beside::generate, shard, layers);
    }
    if (divided) {
      // There and back, forward, again before the backward pass, and as gradients.
      const double tokens = job.work.tokens() / all;
      add("tokens to experts and back",
          6 * rows_to_experts(student, tokens, shard) * job.work.element, Beside::learn, shard,
          11 * passes * layers);
    }
  }
  if (layout.tensor_parallel > 1) {
    const auto together = static_cast<double>(layout.tensor_parallel);
    const double rows = job.work.completions / all * together;
    const double tokens = rows * job.work.completion;
    const double prompts = std::max(1.0, rows / job.work.shared) * job.work.prompt;
    const double passes_over_all = std::ceil(rows / job.work.slots) * job.work.completion;
    const bool far = layout.tensor_parallel > layout.node();
    messages.push_back({.name = "sums of heads and columns",
                        .bytes = 4 * layers * job.work.element * student.width * others(together) *
                                 (tokens + prompts),
                        .beside = Beside::generate,
                        .ranks = together,
                        .exchanges = 2 * layers * passes_over_all,
                        .between_nodes = far,
                        .at_once = true});
    messages.push_back({.name = "logits",
                        .bytes = job.work.element * student.vocabulary * others(together) * tokens,
                        .beside = Beside::generate,
                        .ranks = together,
                        .exchanges = 2 * passes_over_all,  // and the drawn tokens
                        .between_nodes = far,
                        .at_once = true});
  }
  const double readings = passes_of_teacher(job);
  const double apart = job.divides_teacher_experts() ? job.teacher.experts : 0;
  const double teacher = readings * job.work.teacher_element * (job.teacher.in_layers() - apart);
  const auto teacher_shard = static_cast<double>(layout.teacher_shard());
  if (layout.teacher == TeacherWeights::sharded) {
    add("teacher's weights", teacher * others(teacher_shard), Beside::grade, teacher_shard,
        readings * job.teacher.layers);
    if (apart > 0) {
      const double tokens = job.work.tokens() / static_cast<double>(layout.graders());
      add("teacher's tokens to experts and back",
          2 * rows_to_experts(job.teacher, tokens, teacher_shard) * job.work.state_element(),
          Beside::grade, teacher_shard, 4 * readings * job.teacher.layers);
    }
  } else if (layout.teacher == TeacherWeights::host) {
    messages.push_back({"teacher's weights", teacher, Beside::grade, 1,
                        readings * job.teacher.layers,
                        /*between_nodes=*/false, /*from_host=*/true});
  }
  if (layout.teacher_devices > 0) {
    const double rows = job.work.completions / static_cast<double>(layout.learners());
    messages.push_back({"grades",
                        job.work.state_element() * rows * job.work.completion * job.teacher.width,
                        Beside::learn, 2, passes, layout.devices > layout.node()});
  }
  return messages;
}

double seconds_of(const Traffic& traffic, const DeviceKind& device) {
  if (traffic.from_host) return traffic.bytes / device.host;
  if (traffic.ranks <= 1) return 0;
  const double latency =
      (traffic.between_nodes ? 20e-6 : 10e-6) * (traffic.at_once ? 1 : std::log2(traffic.ranks));
  return traffic.bytes / (traffic.between_nodes ? device.network : device.link) +
         traffic.exchanges * latency;
}

}  // namespace alambic
