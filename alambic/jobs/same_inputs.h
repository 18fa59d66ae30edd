// Comparisons of what the ranks of a job have read, each for itself: gradients of other models, or
// of rows of other files, would be added up without a word.
#pragma once

#include <string>
#include <vector>

#include "alambic/dist/layer_weights.h"
#include "alambic/model/model.h"
#include "alambic/train/tokenized_rows.h"

namespace alambic {

/// An input error that names a rank where a model's numbers, summed up layer by layer, are not
/// rank 0's. `layers`: what has some of them; null: all are here. All ranks call it.
void require_same_weights(const World& world, Model& model, const LayerWeights* layers,
                          const std::string& name);

/// The same of token ids, in their order.
void require_same_rows(const World& world, const TokenizedRows& rows);
void require_same_text(const World& world, const TokenSpool& tokens);

}  // namespace alambic
