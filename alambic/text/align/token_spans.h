// Tokens of two models that write the same bytes, side by side.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace alambic {

/// The shortest run of tokens of both sides that begins and ends at a byte where both have a
/// boundary: tokens [student_begin, student_end) write what [teacher_begin, teacher_end) do.
struct TokenSpan {
  int64_t student_begin = 0, student_end = 0;
  int64_t teacher_begin = 0, teacher_end = 0;

  bool operator==(const TokenSpan&) const = default;
};

/// A stretch of bytes that two texts have in common.
struct EqualBytes {
  int64_t a = 0, b = 0;  ///< where it begins in each
  int64_t length = 0;

  bool operator==(const EqualBytes&) const = default;
};

/// Stretches that the texts have in common, in order: one where they are equal. After a byte that
/// differs (a normalizer changed the text) the next one begins where 16 bytes agree again, or all
/// that are left, at most 64 bytes further on either side; where none does, the rest has nothing in
/// common. Linear.
std::vector<EqualBytes> equal_bytes(std::string_view a, std::string_view b);

/// The spans of tokens whose bytes end at `ends_a` and `ends_b` (rising), within the stretches that
/// their texts have in common. A token with a byte that differs is in no span, and neither are
/// those up to the next boundary of both. Linear.
std::vector<TokenSpan> token_spans(std::span<const int64_t> ends_a, std::span<const int64_t> ends_b,
                                   std::span<const EqualBytes> equal);

}  // namespace alambic
