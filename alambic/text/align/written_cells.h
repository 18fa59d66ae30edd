#pragma once

#include <span>
#include <vector>

#include "alambic/text/align/cells.h"

namespace alambic {

/// Where a token begins to write a cell.
struct CellWriter {
  int64_t token = 0;    ///< of the span's, from 0
  int64_t written = 0;  ///< cells that it has written before

  bool operator==(const CellWriter&) const = default;
};

/// A cell that tokens of both sides write.
struct WrittenCell {
  int32_t cell = 0;
  CellWriter student, teacher;

  bool operator==(const WrittenCell&) const = default;
};

/// The cells that a span's tokens write, one after another ("4", "3" of "43" beside "4", "3").
/// Empty where the two sides write others, or where a cell begins inside of tokens of both.
std::vector<WrittenCell> written_cells(const Aligner& aligner, const Cells& cells,
                                       std::span<const int32_t> student,
                                       std::span<const int32_t> teacher);

}  // namespace alambic
