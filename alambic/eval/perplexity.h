#pragma once

#include <vector>

#include "alambic/model/model.h"
#include "alambic/text/data/token_spool.h"

namespace alambic {

struct Perplexity {
  double cross_entropy = 0;  ///< nats per token
  double perplexity = 0;
  int64_t tokens = 0;  ///< predicted
};

/// Reads the text in windows of `window` tokens that do not overlap; each window's first token is
/// context only. Needs at least two tokens, and windows of two.
Perplexity perplexity(const Model& model, const TokenSpool& tokens, int64_t window,
                      int64_t vocabulary);

}  // namespace alambic
