// Spans against the definition by brute force.
#include "alambic/text/align/token_spans.h"

#include <gtest/gtest.h>

#include <random>

namespace alambic::token_spans_test {
namespace {

using Ends = std::vector<int64_t>;

std::vector<TokenSpan> whole_spans(const Ends& a, const Ends& b, int64_t length) {
  return token_spans(a, b, std::vector<EqualBytes>{{0, 0, length}});
}

// Every pair of boundaries, the nearest next one of both.
std::vector<TokenSpan> by_brute_force(const Ends& a, const Ends& b) {
  std::vector<TokenSpan> spans;
  TokenSpan next;
  for (size_t i = 0; i < a.size(); ++i) {
    for (size_t j = 0; j < b.size(); ++j) {
      if (a[i] != b[j]) continue;
      next.student_end = static_cast<int64_t>(i) + 1;
      next.teacher_end = static_cast<int64_t>(j) + 1;
      spans.push_back(next);
      next.student_begin = next.student_end;
      next.teacher_begin = next.teacher_end;
    }
  }
  return spans;
}

Ends random_ends(std::mt19937& random, int64_t length) {
  Ends ends;
  for (int64_t end = 1; end < length; ++end) {
    if (random() % 3 == 0) ends.push_back(end);
  }
  ends.push_back(length);
  return ends;
}

TEST(TokenSpans, AreTheShortestAndLeaveNoTokenOut) {
  std::mt19937 random(7);
  for (int trial = 0; trial < 500; ++trial) {
    const auto length = static_cast<int64_t>(1 + random() % 40);
    const Ends a = random_ends(random, length), b = random_ends(random, length);
    const std::vector<TokenSpan> spans = whole_spans(a, b, length);
    ASSERT_EQ(spans, by_brute_force(a, b));
    ASSERT_EQ(spans.back().student_end, std::ssize(a));
    ASSERT_EQ(spans.back().teacher_end, std::ssize(b));
    std::vector<TokenSpan> swapped = whole_spans(b, a, length);
    for (TokenSpan& span : swapped) {
      std::swap(span.student_begin, span.teacher_begin);
      std::swap(span.student_end, span.teacher_end);
    }
    ASSERT_EQ(spans, swapped);
  }
}

TEST(TokenSpans, TokensWithABytesThatDiffersAreInNone) {
  // "abXcd" and "abYYcd": X and YY differ, "cd" are the last bytes of both.
  const Ends a = {2, 3, 4, 5}, b = {1, 2, 4, 6};
  const std::vector<EqualBytes> equal = {{0, 0, 2}, {3, 4, 2}};
  const std::vector<TokenSpan> expected = {{0, 1, 0, 2}, {2, 4, 3, 4}};
  EXPECT_EQ(token_spans(a, b, equal), expected);
  // A token over the difference takes the rest up to the next common boundary with it.
  const Ends crossing = {2, 4, 5};
  const std::vector<TokenSpan> fewer = {{0, 1, 0, 2}};
  EXPECT_EQ(token_spans(crossing, b, equal), fewer);
}

TEST(EqualBytes, FindsTheTextAgainAfterADifference) {
  EXPECT_EQ(equal_bytes("same", "same"), (std::vector<EqualBytes>{{0, 0, 4}}));
  EXPECT_EQ(equal_bytes("", ""), (std::vector<EqualBytes>{{0, 0, 0}}));
  // "e" with a combining accent and "é".
  EXPECT_EQ(equal_bytes("caf\x65\xCC\x81 is good", "caf\xC3\xA9 is good"),
            (std::vector<EqualBytes>{{0, 0, 3}, {6, 5, 8}}));
  EXPECT_EQ(equal_bytes("  a b", " a b"), (std::vector<EqualBytes>{{0, 0, 1}, {2, 1, 3}}));
  // The end alone is missing.
  EXPECT_EQ(equal_bytes("abc", "ab"), (std::vector<EqualBytes>{{0, 0, 2}, {3, 2, 0}}));
}

TEST(EqualBytes, GivesUpWhereNothingAgrees) {
  const std::string a = "same" + std::string(400, 'a'), b = "same" + std::string(400, 'b');
  EXPECT_EQ(equal_bytes(a, b), (std::vector<EqualBytes>{{0, 0, 4}}));
}

}  // namespace
}  // namespace alambic::token_spans_test
