// The processes of one run on several devices or machines.
#pragma once

#include <memory>
#include <string>

#include "alambic/dist/world.h"
#include "alambic/tensor/machine_options.h"

namespace alambic {

/// Joins the ranks that a launcher has started (base/launch_environment.h), and checks that all run
/// the same command. A follower is quiet from here on. Input and environment errors: those of
/// World; ranks with different options. `timeout`: seconds after which
/// a rank that hangs is named (jobs/rank_observer.h); collectives wait somewhat longer.
std::shared_ptr<const World> join_ranks(const std::string& command, const Options& options,
                                        double timeout);

/// Threads of this process where ranks share a machine: its part of default_threads(), unless
/// somebody says how many.
int64_t threads_of_rank(const World& world, int64_t threads);

}  // namespace alambic
