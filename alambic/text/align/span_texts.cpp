#include "alambic/text/align/span_texts.h"

#include "alambic/base/printable.h"

namespace alambic {

namespace {

// Tokens that write no text go by their names.
std::vector<std::string> texts_of(std::span<const int32_t> tokens, int64_t begin, int64_t end,
                                  const VocabularyBytes& bytes, const Tokenizer& tokenizer) {
  std::vector<std::string> texts;
  for (const int32_t id : tokens.subspan(begin, end - begin)) {
    const std::string& written = bytes.of(id);
    texts.push_back(printable(written.empty() ? tokenizer.token_of(id) : written));
  }
  return texts;
}

}  // namespace

std::vector<SpanTexts> span_texts(const Aligner& aligner, std::span<const int32_t> completion,
                                  size_t limit) {
  const Alignment alignment = aligner.align(completion);
  std::vector<SpanTexts> texts;
  int64_t shown = 0;  // tokens of the student's
  const auto own = [&](int64_t begin, int64_t end) {
    return texts_of(completion, begin, end, aligner.student_bytes(), aligner.student().tokenizer);
  };
  const auto add_masked = [&](int64_t end) {
    for (; shown < end && texts.size() < limit; ++shown) {
      texts.push_back({.student = own(shown, shown + 1), .teacher = {}});
    }
  };
  for (const TokenSpan& span : alignment.spans) {
    add_masked(span.student_begin);
    if (texts.size() >= limit) return texts;
    texts.push_back({.student = own(span.student_begin, span.student_end),
                     .teacher = texts_of(alignment.teacher, span.teacher_begin, span.teacher_end,
                                         aligner.teacher_bytes(), aligner.teacher().tokenizer)});
    shown = span.student_end;
  }
  add_masked(std::ssize(completion));
  return texts;
}

}  // namespace alambic
