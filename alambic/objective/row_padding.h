#pragma once

#include <cstdint>

namespace alambic {

/// Rows of logits that the row kernels visit are padded to a multiple of this many floats (one
/// cache line, the widest vector).
inline constexpr int64_t kRowPadding = 16;

/// The floats of such a row.
[[gnu::always_inline]] constexpr int64_t padded_row(int64_t vocabulary) {
  return (vocabulary + kRowPadding - 1) / kRowPadding * kRowPadding;
}

}  // namespace alambic
