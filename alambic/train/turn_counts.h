// What became of the conversations of a data set, in a sentence for the person at the terminal.
#pragma once

#include <cstdint>
#include <string>

#include "alambic/text/dataset.h"

namespace alambic {

struct TurnCounts {
  int64_t conversations = 0;
  int64_t split = 0;             ///< of them written in several texts
  int64_t texts = 0;             ///< these
  int64_t reopened = 0;          ///< completions of which the thinking was put together here
  int64_t without_thinking = 0;  ///< reopened ones that have none

  void add(const Example& example);
  /// Sentences that say so (text/chat/turns.h); "" where there is nothing to say.
  std::string sentences(const std::string& data) const;
};

}  // namespace alambic
