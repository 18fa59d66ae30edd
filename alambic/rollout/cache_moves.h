#pragma once

#include "alambic/nn/kv_cache.h"

namespace alambic {

/// Copies what the slots of a cache hold into those of one for the same model with as many slots
/// and at least its capacity.
void move_cache(const KvCache& from, KvCache& to);

/// Makes slot `to` hold what slot `from` does: two sequences that begin alike read that once.
void copy_slot(KvCache& cache, int64_t from, int64_t to);

}  // namespace alambic
