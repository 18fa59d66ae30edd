#pragma once

#include "alambic/flow/teacher_output.h"
#include "alambic/nn/layer_outputs.h"
#include "alambic/objective/hidden_distance.h"
#include "alambic/train/optimizer.h"

namespace alambic {

/// Decoder layers whose outputs are compared, counted from 0.
struct LayerPair {
  int64_t student = 0, teacher = 0;
};

struct HiddenMatchOptions {
  double weight = 0;  ///< factor of the mean over pairs; 0: nothing is compared
  HiddenMeasure measure = HiddenMeasure::mse;
  std::vector<LayerPair> pairs;
  int64_t student_width = 0, teacher_width = 0;
  uint64_t seed = 0;  ///< seed of the projections' first values
};

/// Loss that pulls the student's hidden states towards the teacher's, through a learned projection
/// per pair of unequal widths: W [Dt, Ds], float32, drawn with deviation 1/√Ds, which keeps
/// lengths.
class HiddenMatch {
 public:
  HiddenMatch(const HiddenMatchOptions& options, at::Device device);

  bool on() const { return options_.weight > 0; }
  /// The student's layers that a pass must show.
  std::vector<int64_t> layers() const;
  /// The mean over pairs, of the rows loss_positions_M of the student's outputs beside the
  /// teacher's layers_MD, in the pairs' order; its sums are means too. Without the weight.
  Loss loss(const LayerOutputs& student, const Tensor& loss_positions_M,
            const HiddenStates& teacher, double normalizer) const;
  /// Projections to be trained; empty: all widths agree.
  const NamedTensors& projections() const { return projections_; }

 private:
  HiddenMatchOptions options_;
  NamedTensors projections_;
};

}  // namespace alambic
