// Settings of the draw of the next token. Torch-free: the command line parses it.
#pragma once

#include <utility>
#include <vector>

#include "alambic/options/options.h"

namespace alambic {

/// Filters apply in the order temperature, top-k, top-p, min-p, as in transformers.
struct Sampling {
  double temperature = 1;  ///< 0: greedy
  int64_t top_k = 0;       ///< 0: all
  double top_p = 1;        ///< 1: all
  double min_p = 0;        ///< share of the most likely token's probability; 0: all
  int64_t max_new_tokens = 256;
  // As transformers' processors, before all filters; no options of their own.
  double repetition_penalty = 1;  ///< of tokens that the sequence has had, prompt included; 1: none
  std::vector<std::pair<int32_t, float>> logit_bias;  ///< ids with what is added to their logits
  std::vector<int32_t> suppressed;                    ///< ids that are never drawn
  std::vector<int32_t> suppressed_at_first;           ///< ids that begin no completion

  bool changes_logits() const {
    return repetition_penalty != 1 || !logit_bias.empty() || !suppressed.empty() ||
           !suppressed_at_first.empty();
  }

  void visit(OptionVisitor& v) {
    v.number("temperature", temperature, "sampling temperature; 0 takes the most likely token",
             {.min = 0});
    v.integer("top-k", top_k, "draw from the k most likely tokens only; 0 means all", {.min = 0});
    v.number("top-p", top_p, "draw from the fewest tokens that hold this probability; 1 means all",
             {.min = 0, .max = 1});
    v.number("min-p", min_p, "leave out tokens below this share of the most likely one",
             {.min = 0, .max = 1});
  }
};

}  // namespace alambic
