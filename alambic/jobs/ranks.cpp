#include "alambic/jobs/ranks.h"

#include <algorithm>

#include "alambic/base/cpu_threads.h"
#include "alambic/base/log.h"
#include "alambic/options/config_toml.h"

namespace alambic {

std::shared_ptr<const World> join_ranks(const std::string& command, const Options& options,
                                        double timeout) {
  const LaunchEnvironment place = launch_environment();
  if (place.rank > 0) follow_as_rank(place.rank);
  // Who hangs is to be named before the others give up, and processes take time to begin.
  const auto world = std::make_shared<const World>(place, timeout + 300);
  if (world->alone()) return world;
  world->require_equal(config_toml(command, options), "options");
  say("{} ranks, started by {}", world->size(), place.source);
  return world;
}

int64_t threads_of_rank(const World& world, int64_t threads) {
  if (threads > 0 || environment_variable("OMP_NUM_THREADS")) return threads;
  return std::max<int64_t>(1, default_threads() / world.place().local_size);
}

}  // namespace alambic
