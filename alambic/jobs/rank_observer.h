// What a rank's run tells of itself: to the other ranks, and to whoever looks for its time.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "alambic/base/timeline.h"
#include "alambic/dist/rank_watch.h"
#include "alambic/jobs/sharding_options.h"

namespace alambic {

/// Watches the ranks of a world while it lives: one that hangs ends this process with exit code 3
/// and a sentence on standard error. With `profile` it keeps a timeline.
class RankObserver {
 public:
  RankObserver(std::shared_ptr<const World> world, const ShardingOptions& options);
  ~RankObserver();
  RankObserver(const RankObserver&) = delete;
  RankObserver& operator=(const RankObserver&) = delete;

  /// For TrainerParts::on_phase.
  std::function<void(int64_t step, const std::string& phase)> on_phase();
  /// Writes profile/rank-….json under the run folder, where a profile is kept.
  void write(const std::filesystem::path& run);

 private:
  std::shared_ptr<const World> world_;
  RankWatch watch_;
  std::optional<Timeline> timeline_;
};

}  // namespace alambic
