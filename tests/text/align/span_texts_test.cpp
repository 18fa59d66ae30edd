#include "alambic/text/align/span_texts.h"

#include <gtest/gtest.h>

#include "alambic/base/files.h"

namespace alambic::span_texts_test {
namespace {

using Ids = std::vector<int32_t>;
using Texts = std::vector<std::string>;

Tokenizer tokenizer_of(const std::string& name) {
  return Tokenizer::load(fs::path(ALAMBIC_SOURCE_DIR) / "tests/golden/tokenizers" / name);
}

// The student's tokens in their order, the teacher's beside them, nothing of a masked one.
TEST(SpanTexts, AreTheWholeCompletion) {
  const Tokenizer student = tokenizer_of("gpt2"), teacher = tokenizer_of("llama2");
  const int32_t end = student.id_of("<|end|>").value();
  const Aligner aligner({student, {end}, "the student"}, {teacher, {2}, "the teacher"});
  Ids ids = student.encode_continuation(" Tom has 12\n");
  int32_t special = -1;  // writes nothing and has no partner
  for (int32_t id = 0; id < student.size(); ++id) {
    const bool silent = id != end && student.bytes_of(id).value().empty();
    if (silent && !aligner.partner_of(id)) special = id;
  }
  if (special >= 0) ids.push_back(special);
  ids.push_back(end);
  const std::vector<SpanTexts> spans = span_texts(aligner, ids, 100);
  std::string own, other;
  size_t masked = 0;
  for (const SpanTexts& span : spans) {
    for (const std::string& text : span.student) own += text;
    for (const std::string& text : span.teacher) other += text;
    masked += span.teacher.empty();
  }
  EXPECT_EQ(masked, special >= 0 ? 1u : 0u);
  EXPECT_TRUE(own.starts_with(" Tom has 12\\x0a")) << own;
  EXPECT_EQ(other, " Tom has 12\\x0a</s>");
  EXPECT_EQ(spans.back(), (SpanTexts{Texts{"<|end|>"}, Texts{"</s>"}}));
  EXPECT_EQ(span_texts(aligner, ids, 2).size(), 2u);
  EXPECT_TRUE(span_texts(aligner, {}, 2).empty());
}

}  // namespace
}  // namespace alambic::span_texts_test
