#pragma once

#include <map>
#include <string>

#include "alambic/flow/loss.h"
#include "alambic/train/training_task.h"

namespace alambic {

/// The loss of one micro-batch as its terms come in.
struct MicroLoss {
  StepReport& report;
  Tensor value;

  void add(const Loss& loss, double weight) {
    const Tensor part = weight == 1 ? loss.value : loss.value * weight;
    value = value.defined() ? value + part : part;
  }
  void report_sums(const std::map<std::string, double>& sums, double normalizer) const {
    for (const auto& [name, sum] : sums) report.means[name] += sum / normalizer;
  }
  double normalizer() const { return static_cast<double>(report.tokens); }
};

}  // namespace alambic
