#include "alambic/text/align/token_spans.h"

#include <algorithm>

namespace alambic {
namespace {

constexpr size_t needed = 16;  // bytes that make an agreement no accident
constexpr size_t reach = 64;

size_t common_prefix(std::string_view a, std::string_view b) {
  return std::ranges::mismatch(a, b).in1 - a.begin();
}

bool agree_again(std::string_view a, std::string_view b) {
  if (a.size() < needed || b.size() < needed) return a == b;
  return a.substr(0, needed) == b.substr(0, needed);
}

// Skips as few bytes as possible together; false: nowhere within reach.
bool skip_difference(std::string_view a, std::string_view b, size_t& i, size_t& j) {
  for (size_t together = 1; together <= 2 * reach; ++together) {
    for (size_t skipped = 0; skipped <= together; ++skipped) {
      const size_t of_a = i + skipped, of_b = j + together - skipped;
      if (of_a > a.size() || of_b > b.size()) continue;
      if (!agree_again(a.substr(of_a), b.substr(of_b))) continue;
      i = of_a;
      j = of_b;
      return true;
    }
  }
  return false;
}

}  // namespace

std::vector<EqualBytes> equal_bytes(std::string_view a, std::string_view b) {
  std::vector<EqualBytes> stretches;
  size_t i = 0, j = 0;
  do {
    const size_t length = common_prefix(a.substr(i), b.substr(j));
    stretches.push_back(
        {static_cast<int64_t>(i), static_cast<int64_t>(j), static_cast<int64_t>(length)});
    i += length;
    j += length;
  } while ((i < a.size() || j < b.size()) && skip_difference(a, b, i, j));
  return stretches;
}

std::vector<TokenSpan> token_spans(std::span<const int64_t> ends_a, std::span<const int64_t> ends_b,
                                   std::span<const EqualBytes> equal) {
  std::vector<TokenSpan> spans;
  size_t i = 0, j = 0;  // tokens whose ends were passed
  const auto end_of = [](std::span<const int64_t> ends, size_t tokens) {
    return tokens == 0 ? 0 : ends[tokens - 1];
  };
  for (const EqualBytes& stretch : equal) {
    // It may begin at a boundary that the one before has passed.
    i = std::min(i, ends_a.size());
    j = std::min(j, ends_b.size());
    while (i > 0 && end_of(ends_a, i) > stretch.a) --i;
    while (j > 0 && end_of(ends_b, j) > stretch.b) --j;
    TokenSpan next;
    bool open = false;  // `next` begins at a boundary of both
    while (i <= ends_a.size() && j <= ends_b.size()) {
      const int64_t a = end_of(ends_a, i) - stretch.a, b = end_of(ends_b, j) - stretch.b;
      if (std::min(a, b) > stretch.length) break;
      if (a == b && a >= 0) {
        next.student_end = static_cast<int64_t>(i);
        next.teacher_end = static_cast<int64_t>(j);
        if (open) spans.push_back(next);
        open = true;
        next.student_begin = next.student_end;
        next.teacher_begin = next.teacher_end;
      }
      i += a <= b ? 1 : 0;
      j += b <= a ? 1 : 0;
    }
  }
  return spans;
}

}  // namespace alambic
