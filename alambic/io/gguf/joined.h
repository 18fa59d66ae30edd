#pragma once

#include <algorithm>
#include <array>

#include "alambic/io/gguf/architecture.h"

namespace alambic::gguf {

/// Rows of a table, and more behind them.
template <class Row, size_t M, size_t N>
constexpr auto joined(const std::array<Row, M>& first, const Row (&then)[N]) {
  std::array<Row, M + N> all;
  std::ranges::copy(then, std::ranges::copy(first, all.begin()).out);
  return all;
}

}  // namespace alambic::gguf
