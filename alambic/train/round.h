#pragma once

#include "alambic/train/completions.h"

namespace alambic {

/// Completions that one step or several in a row learn from.
struct Round {
  int64_t number = -1;  ///< −1: none
  bool own = true;      ///< the student's own, not the data's
  StepBatch batch;
  StepReport report;  ///< extra figures and samples, of the completions alone
};

}  // namespace alambic
