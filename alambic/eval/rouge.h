#pragma once

#include <string_view>

namespace alambic {

/// Rouge-L F1 of two texts (Lin, 2004): the longest common subsequence of lower-cased words of
/// letters and digits, as rouge_score computes it without stemming. In [0, 1].
double rouge_l(std::string_view candidate, std::string_view reference);

}  // namespace alambic
