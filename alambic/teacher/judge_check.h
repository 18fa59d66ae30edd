// Tricks that a reward should not be fooled by, and how often it is.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "alambic/teacher/reward.h"
#include "alambic/text/dataset.h"

namespace alambic {

/// A worthless completion that a weak judge likes: empty, the question repeated, praise for the
/// judge, an order to give the best score.
struct Trick {
  std::string name;
  std::string (*completion)(const Attempt& good);
};
const std::vector<Trick>& tricks();

struct TrickResult {
  std::string name;
  int64_t tried = 0;      ///< pairs with scores for both the good completion and the trick
  int64_t fooled = 0;     ///< scored at least as high as the good completion to the same prompt
  int64_t dropped = 0;    ///< the trick got no score: it fools no judge
  double mean_score = 0;  ///< mean over those tried
  double share() const { return tried > 0 ? static_cast<double>(fooled) / tried : 0; }
};

struct JudgeReport {
  int64_t completions = 0;  ///< good completions with a score
  int64_t dropped = 0;      ///< good completions without one
  double mean_score = 0;    ///< mean over the good completions
  std::vector<TrickResult> tricks;
  std::string last_reason;  ///< why the last score was dropped
  /// Largest share of completions that a trick fools.
  double worst_share() const;
};

/// Good completions of a data set with `prompt` and `completion`, and with `answer` where the
/// reward compares with one: the first `limit` rows; 0: all.
std::vector<Attempt> read_good_completions(const Dataset& data, int64_t limit, bool with_answer);

/// Scores good completions and every trick in their places.
JudgeReport check_judge(const Reward& reward, const std::vector<Attempt>& good);

}  // namespace alambic
