#pragma once

#include "alambic/kernels/kernels_cpu.h"

namespace alambic::kernels::ALAMBIC_ISA {

/// Rows of the next tile where `left` are left and a tile has at most `most`: even tiles, so that
/// none of few rows waits for its loads.
[[gnu::always_inline]] inline int64_t even_part(int64_t left, int64_t most) {
  const int64_t tiles = (left + most - 1) / most;
  return (left + tiles - 1) / tiles;
}

}  // namespace alambic::kernels::ALAMBIC_ISA
