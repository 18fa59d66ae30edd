// What two tokenizers have in common, for people who are about to distil from one to the other.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "alambic/text/align/aligner.h"

namespace alambic {

struct PairFacts {
  int64_t student_tokens = 0, teacher_tokens = 0;  ///< tokens that write text
  int64_t common = 0;                              ///< byte strings that are a token of both
  int64_t student_unreachable = 0;  ///< tokens of text that their own tokenizer never writes
  int64_t teacher_unreachable = 0;
  std::vector<std::string> paired;    ///< the student's special tokens that the teacher has too
  std::vector<std::string> unpaired;  ///< … and those without partner
  std::vector<std::string> student_ends, teacher_ends;  ///< each ends a completion, as one event
  // Of the texts that were aligned.
  int64_t tokens = 0, spans = 0, one_to_one = 0, masked = 0;
  TokenSpan longest;  ///< the one with the most tokens of both
};

/// Facts of a pair, with the spans of these texts in the student's tokens.
PairFacts pair_facts(const Aligner& aligner, const std::vector<std::string>& texts);

}  // namespace alambic
