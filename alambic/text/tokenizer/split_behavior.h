// Treatment of the matches when a text is split (`SplitDelimiterBehavior` of tokenizers).
#pragma once

#include <vector>

#include "alambic/base/regex.h"

namespace alambic {

class JsonView;

enum class SplitBehavior { removed, isolated, merged_with_previous, merged_with_next, contiguous };

SplitBehavior read_split_behavior(const JsonView& json);

/// The pieces of [0, size) for these matches (in order, not overlapping). `invert` swaps matches
/// and the text between them. Empty pieces are left out.
std::vector<Range> split(size_t size, const std::vector<Range>& matches, SplitBehavior behavior,
                         bool invert);

}  // namespace alambic
