#include "alambic/jobs/run_result.h"

#include "alambic/train/trainer.h"

namespace alambic {

RunResult run_result(const TrainingResult& trained) {
  return {.ending = trained.stopped ? RunEnding::stopped : RunEnding::finished,
          .steps = trained.steps,
          .seconds = trained.seconds,
          .collapse = trained.collapse,
          .validation = trained.validation};
}

}  // namespace alambic
