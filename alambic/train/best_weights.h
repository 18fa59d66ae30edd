#pragma once

#include "alambic/dist/world.h"
#include "alambic/train/best_validation.h"
#include "alambic/train/optimizer.h"
#include "alambic/train/options.h"

namespace alambic {

/// Search for the best validation of a run (--load-best, --early-stopping): a pure function of the
/// validations seen, so that a resumed run finds the same.
class BestWeights {
 public:
  /// Rank 0 writes the files, every rank reads them.
  BestWeights(const TrainingOptions& options, std::filesystem::path checkpoints,
              const World& world);

  /// Whether the run looks for the best at all.
  bool watches() const { return options_.load_best || options_.early_stopping > 0; }
  /// The figures of a validation after `step` steps. With load_best the weights of one that is
  /// better than all before go to checkpoints/, layer by layer where ranks divide them; all ranks
  /// call it. An input error where the chosen figure is missing, naming those that are there. A
  /// figure that is not finite is never better.
  void see(int64_t step, const Metrics& validation, const AdamW& optimizer);
  /// early_stopping validations have passed without a better one.
  bool patience_is_over() const;

  const std::optional<BestValidation>& so_far() const { return best_; }
  void go_on_from(const std::optional<BestValidation>& best) { best_ = best; }

  /// With load_best: puts the best weights into the model and returns their figures; nothing where
  /// there was no validation.
  std::optional<Metrics> load(AdamW& optimizer) const;

 private:
  const TrainingOptions& options_;
  std::filesystem::path checkpoints_;
  const World& world_;
  std::optional<BestValidation> best_;
};

}  // namespace alambic
