#include "alambic/jobs/run_length.h"

#include <algorithm>
#include <cmath>

#include "alambic/base/error.h"
#include "alambic/base/log.h"
#include "alambic/base/units.h"

namespace alambic {

TrainingOptions with_steps(TrainingOptions options, int64_t sequences, int64_t steps_per_batch) {
  if (options.epochs == 0) {
    if (options.max_steps == 0) options.max_steps = default_steps;
    return options;
  }
  const auto batch = static_cast<double>(options.batch_size);
  const double batches = std::ceil(options.epochs * static_cast<double>(sequences) / batch);
  const double steps = std::max(1.0, batches) * static_cast<double>(steps_per_batch);
  if (!(steps < 1e15)) {
    throw input_error("--epochs {} makes {:.3g} steps", options.epochs, steps)
        .with_hint("--max-steps limits them");
  }
  say("{} epochs of {} sequences in batches of {}: {} steps", options.epochs,
      with_separators(sequences), options.batch_size, with_separators(std::llround(steps)));
  if (options.max_steps == 0) {
    options.max_steps = std::llround(steps);
  } else {
    say("--max-steps {} wins over --epochs", options.max_steps);
  }
  return options;
}

}  // namespace alambic
