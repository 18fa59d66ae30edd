// Ranks that pass other numbers of micro-batches through a divided model.
#pragma once

#include <memory>
#include <vector>

#include "alambic/dist/world.h"

namespace alambic {

class LayerWeights;

/// Micro-batches that the rank with the most has beyond this one's `own`. All ranks ask before
/// their first pass: the passes themselves wait for all.
int64_t more_elsewhere(const World& world, int64_t own);

/// Takes part in so many micro-batches of other ranks, which need this one's part of the weights,
/// in the order of their passes: the first teacher's, the student's, the other teachers', the
/// student's backward one. Null: whole on every rank.
void accompany(int64_t micro_batches, LayerWeights* student,
               const std::vector<std::shared_ptr<LayerWeights>>& teachers = {});

}  // namespace alambic
