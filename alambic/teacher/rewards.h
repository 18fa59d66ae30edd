#pragma once

#include <memory>

#include "alambic/base/files.h"
#include "alambic/model/load.h"
#include "alambic/teacher/reward.h"
#include "alambic/teacher/reward_options.h"

namespace alambic {

/// The reward or the judge that the options name. Input errors: neither or both, options of the one
/// with the other, and what make_reward, read_rubric and Judge refuse.
/// `replies`: folder that keeps what a judge behind an address has said, in a file of this `name`.
std::unique_ptr<Reward> load_reward(const RewardOptions& options, const LoadOptions& load,
                                    const fs::path& replies = {},
                                    const std::string& name = "judge");

}  // namespace alambic
