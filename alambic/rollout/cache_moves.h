#pragma once

#include "alambic/model/model.h"
#include "alambic/nn/kv_cache.h"

namespace alambic {

/// Copies what the slots of a cache hold into those of one for the same model with as many slots
/// and at least its capacity.
void move_cache(const KvCache& from, KvCache& to);

/// Makes slot `to` hold what slot `from` does: two sequences that begin alike read that once. Of a
/// cache in pages all but those, which KvPages shares.
void copy_slot(KvCache& cache, int64_t from, int64_t to);

/// Empty cache of the model's, of the head's type and device, in `pages` if there are such. An
/// environment error where there is no memory for it.
KvCache new_cache(const Model& model, const Head& head, int64_t slots, int64_t capacity,
                  std::shared_ptr<const KvPages> pages = {});

}  // namespace alambic
