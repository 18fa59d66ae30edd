// Ranks that hang where no collective would notice.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "alambic/dist/world.h"

namespace alambic {

/// A thread of each rank that tells rank 0 where it is, and looks whether rank 0 lives and what it
/// says. Rank 0 looks at all: a rank hangs when for `seconds` it gave no sign of life (a stopped
/// process, a machine that is gone), or when others have waited for it so long and it is in no
/// collective itself. Of a single process nothing is watched.
class RankWatch {
 public:
  /// `on_hang` is called once on every rank, on the watching thread, with a sentence that names the
  /// rank that hangs, its step and its phase. The caller passes World::on_message on to see().
  RankWatch(const World& world, double seconds,
            std::function<void(const std::string& sentence)> on_hang);
  ~RankWatch();
  RankWatch(const RankWatch&) = delete;
  RankWatch& operator=(const RankWatch&) = delete;

  /// Where this rank is now; `step` counts from 0.
  void at(int64_t step, const std::string& phase);
  /// What World::on_message tells.
  void see(const std::string& doing, MessageEvent event);

 private:
  struct State;
  std::unique_ptr<State> state_;  // null: nothing to watch
};

}  // namespace alambic
