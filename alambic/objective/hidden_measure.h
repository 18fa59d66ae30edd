#pragma once

namespace alambic {

/// Distance between hidden states of student and teacher (hidden_distance.h). Torch-free: the
/// command line parses it.
enum class HiddenMeasure { mse, cosine };

}  // namespace alambic
