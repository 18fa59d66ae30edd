#pragma once

#include <cstdint>

namespace alambic {

/// Tokens of a pass of a teacher with ranks of its own: some thousand keep a device busy, and of
/// more the first learner would wait for long. Layers that are gathered come unseen beside more of
/// them.
inline constexpr int64_t grading_pass_tokens = 2048, gathered_grading_pass_tokens = 32768;

}  // namespace alambic
