#pragma once

#include <span>
#include <string>
#include <vector>

#include "alambic/text/align/aligner.h"

namespace alambic {

/// Tokens of both models that write the same text, as text that can be shown; a masked token of
/// the student stands alone.
struct SpanTexts {
  std::vector<std::string> student, teacher;

  bool operator==(const SpanTexts&) const = default;
};

/// The whole completion, in order. At most `limit` spans.
std::vector<SpanTexts> span_texts(const Aligner& aligner, std::span<const int32_t> completion,
                                  size_t limit);

}  // namespace alambic
