// A student's completion as a teacher with another tokenizer reads it.
//
// What is aligned are bytes: those of the ids that the student chose, which are never decoded and
// encoded again, and those of the teacher's ids for the same bytes. No tokens are added, dropped or
// shifted: a span of the one writes exactly what its partner writes.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "alambic/text/align/token_spans.h"
#include "alambic/text/align/vocabulary_bytes.h"

namespace alambic {

/// A completion in the tokens of both models. Tokens in no span are masked: neither model is
/// compared there.
struct Alignment {
  std::vector<int32_t> teacher;  ///< the completion as the teacher's ids
  std::vector<TokenSpan> spans;  ///< in order, apart; none without tokens of both
  /// Whether the last span is the end of the completion: the student's stop token, and the
  /// teacher's first one for any of its own.
  bool ended = false;
  int64_t masked = 0;  ///< the student's tokens in no span
};

/// One side of an alignment.
struct AlignedTokenizer {
  const Tokenizer& tokenizer;  ///< must outlive the aligner
  std::vector<int32_t> ends;   ///< its stop tokens: each ends a completion
  std::string name;            ///< what errors call it
};

/// Safe from many threads.
class Aligner {
 public:
  /// Input errors: tokens that have no bytes of their own, a teacher without a stop token.
  Aligner(AlignedTokenizer student, AlignedTokenizer teacher);

  Alignment align(std::span<const int32_t> completion) const;

  const AlignedTokenizer& student() const { return student_; }
  const AlignedTokenizer& teacher() const { return teacher_; }
  const VocabularyBytes& student_bytes() const { return *student_bytes_; }
  const VocabularyBytes& teacher_bytes() const { return *teacher_bytes_; }

  /// The teacher's token for a token of the student that writes no text: a special one with the
  /// same name (`<think>`). Nothing where it has none, for ends, and for tokens of text.
  std::optional<int32_t> partner_of(int32_t student_token) const;

 private:
  void align_text(std::span<const int32_t> tokens, int64_t begin, Alignment& alignment) const;

  AlignedTokenizer student_, teacher_;
  std::shared_ptr<const VocabularyBytes> student_bytes_, teacher_bytes_;
};

}  // namespace alambic
