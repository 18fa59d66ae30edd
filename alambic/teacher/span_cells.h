#pragma once

#include <memory>

#include "alambic/flow/span_map.h"
#include "alambic/text/align/aligner.h"
#include "alambic/text/align/cells.h"

namespace alambic {

/// Cells of two tokenizers for the spans of batches.
class SpanCells {
 public:
  SpanCells(std::shared_ptr<const Aligner> aligner, std::shared_ptr<const Cells> cells);

  /// Writes the cells of both vocabularies and of the spans into a map, on its device. `token_M`:
  /// the student's graded tokens.
  void add_to(SpanMap& map, const Tensor& token_M) const;

 private:
  std::shared_ptr<const Aligner> aligner_;
  std::shared_ptr<const Cells> cells_;
  TokenCells token_cells_;  // on the CPU
};

}  // namespace alambic
