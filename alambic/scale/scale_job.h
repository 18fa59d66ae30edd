// A distillation on many devices, as far as its time and memory depend on it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "alambic/scale/device_kind.h"

namespace alambic {

/// Sizes of a model, in numbers (not bytes).
struct ModelSizes {
  std::string name;
  double parameters = 0;
  double outside = 0;            ///< of them, those of no layer: embedding, last norm, head
  double head = 0;               ///< those that logits are made with
  double experts = 0;            ///< those of routed experts
  double expert_share = 1;       ///< share of the tokens that comes to a routed expert
  double routed = 0;             ///< routed experts that a token goes to, of all layers together
  int64_t experts_of_layer = 0;  ///< routed ones that ranks could divide; 0: none
  double largest_layer = 0;      ///< those of the largest layer
  double largest_rest = 0;       ///< those of the largest layer without what can be divided of it
  double layers = 0;
  double width = 0;
  double vocabulary = 0;
  double cache = 0;            ///< numbers kept of each token while answers are written
  double activations = 0;      ///< numbers per token that the backward pass of all layers needs
  double trained = 0;          ///< numbers that are trained; 0: none
  double trained_outside = 0;  ///< of them, those of no layer
  double trained_experts = 0;  ///< of them, those of routed experts that ranks could divide
  int64_t most_together = 1;   ///< the most of 2, 4, 8 … devices that can divide its layers

  double in_layers() const { return parameters - outside; }
  /// Numbers of the layers that one token is multiplied with.
  double active() const { return in_layers() - experts * (1 - expert_share); }
  /// Numbers of layers and head that a pass over so many tokens reads: experts to which none of
  /// them comes are not.
  double read_by(double tokens) const;
};

/// What each step is to do.
struct ScaleWork {
  double completions = 0;   ///< of a step, on all devices
  double prompt = 0;        ///< tokens
  double completion = 0;    ///< tokens
  double shared = 1;        ///< completions to one prompt, whose tokens are computed once
  double micro_passes = 1;  ///< forward and backward passes of a device in a step
  double slots = 64;        ///< most completions that a device writes side by side
  bool recompute = true;    ///< layers run again in the backward pass
  bool fp8_teacher = false;
  double element = 2;          ///< bytes of the student's weights
  double teacher_element = 2;  ///< bytes of the teacher's as they are kept and sent

  /// Bytes of a number of what the teacher computes.
  double state_element() const { return std::max(2.0, teacher_element); }
  double tokens() const { return completions * (prompt + completion); }
};

enum class TeacherWeights { none, resident, sharded, host };

/// How the models lie on the devices.
struct ScaleLayout {
  int64_t devices = 1;
  int64_t per_node = 8;
  int64_t zero_stage = 1;       ///< Rajbhandari et al., arXiv 1910.02054
  int64_t shard = 1;            ///< devices that share one copy of what is sharded
  int64_t tensor_parallel = 1;  ///< devices that write completions together, each with its heads
  int64_t expert_parallel = 1;  ///< devices that divide routed experts, as `shard`; 1: they do not
  TeacherWeights teacher = TeacherWeights::none;
  int64_t teacher_devices = 0;  ///< of the devices, those with the teacher alone; 0: all have both

  /// Devices that have the student.
  int64_t learners() const { return devices - teacher_devices; }
  int64_t node() const { return std::min(devices, per_node); }
  double copies() const { return static_cast<double>(learners()) / static_cast<double>(shard); }
  /// Devices that share one copy of a sharded teacher.
  int64_t teacher_shard() const {
    return teacher_devices > 0 ? std::min(node(), teacher_devices) : shard;
  }
  /// Devices that grade.
  int64_t graders() const { return teacher_devices > 0 ? teacher_devices : devices; }
};

struct ScaleJob {
  DeviceKind device;
  ModelSizes student, teacher;
  ScaleWork work;
  ScaleLayout layout;

  /// Whether tokens go to the devices that have their experts.
  bool divides_student_experts() const {
    return layout.expert_parallel > 1 && layout.zero_stage > 1 && student.experts_of_layer > 0;
  }
  bool divides_teacher_experts() const {
    return layout.expert_parallel > 1 && layout.teacher == TeacherWeights::sharded &&
           teacher.experts_of_layer > 0;
  }
};

std::string name_of(TeacherWeights weights);

}  // namespace alambic
