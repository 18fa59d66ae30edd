// Completions in the tokens of two models: against tools/goldens/token_spans.py, and the places
// where published alignments go wrong.
#include "alambic/text/align/aligner.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "alambic/base/error.h"
#include "tests/shared_data.h"
#include "tests/text/tokenizer/gguf_vocabulary.h"

namespace alambic::aligner_test {
namespace {

using Ids = std::vector<int32_t>;
using Json = nlohmann::json;

const fs::path golden = fs::path(ALAMBIC_SOURCE_DIR) / "tests/golden";

Tokenizer tokenizer_of(const std::string& name) {
  if (name == "word_problems") {
    return Tokenizer::load(fs::path(ALAMBIC_SOURCE_DIR) / "recipes/word_problems/tokenizer");
  }
  return Tokenizer::load(golden / "tokenizers" / name);
}

// What the ids write, by the table that the aligner uses too.
std::string bytes_of(const Tokenizer& tokenizer, const Ids& ids) {
  std::string bytes;
  for (const int32_t id : ids) bytes += tokenizer.bytes_of(id).value();
  return bytes;
}

struct Pair {
  Pair(Tokenizer a, Tokenizer b, Ids student_ends = {-1}, Ids teacher_ends = {0})
      : a(std::move(a)),
        b(std::move(b)),
        aligner({this->a, std::move(student_ends), "the student"},
                {this->b, std::move(teacher_ends), "the teacher"}) {}
  Tokenizer a, b;
  Aligner aligner;

  Alignment of(std::string_view text) const { return aligner.align(a.encode_continuation(text)); }

  // Every span writes the same bytes on both sides, and they lie one behind the other.
  void expect_sound(const Ids& student, const Alignment& alignment) const {
    TokenSpan before;
    int64_t covered = 0;
    for (const TokenSpan& span : alignment.spans) {
      ASSERT_GE(span.student_begin, before.student_end);
      ASSERT_GE(span.teacher_begin, before.teacher_end);
      ASSERT_LT(span.student_begin, span.student_end);
      ASSERT_LT(span.teacher_begin, span.teacher_end);
      const auto part = [](const Ids& ids, int64_t begin, int64_t end) {
        return Ids(ids.begin() + begin, ids.begin() + end);
      };
      ASSERT_EQ(bytes_of(a, part(student, span.student_begin, span.student_end)),
                bytes_of(b, part(alignment.teacher, span.teacher_begin, span.teacher_end)));
      covered += span.student_end - span.student_begin;
      before = span;
    }
    ASSERT_EQ(alignment.masked, std::ssize(student) - covered);
  }
};

void expect_golden(const Json& texts, const std::string& name, const Json& rows, const Pair& pair,
                   bool with_ids) {
  for (size_t t = 0; t < texts.size(); ++t) {
    if (rows[t].is_null()) continue;
    SCOPED_TRACE(name + ": " + texts[t].dump());
    const Ids student = pair.a.encode_continuation(texts[t].get<std::string>());
    const Alignment alignment = pair.aligner.align(student);
    if (with_ids) {
      EXPECT_EQ(student, rows[t][0].get<Ids>());
      EXPECT_EQ(alignment.teacher, rows[t][1].get<Ids>());
    }
    Json spans = Json::array();
    for (const TokenSpan& span : alignment.spans) {
      spans.push_back(
          {span.student_end - span.student_begin, span.teacher_end - span.teacher_begin});
    }
    EXPECT_EQ(spans, with_ids ? rows[t][2] : rows[t]);
    EXPECT_EQ(alignment.masked, 0);
    pair.expect_sound(student, alignment);
  }
}

TEST(Aligner, AgreesWithTheReferenceOnSmallVocabularies) {
  const Json file = Json::parse(read_file(golden / "token_spans.json"));
  for (const auto& [name, rows] : file["pairs"].items()) {
    const size_t slash = name.find('/');
    const Pair pair(tokenizer_of(name.substr(0, slash)), tokenizer_of(name.substr(slash + 1)));
    expect_golden(file["texts"], name, rows, pair, true);
  }
}

TEST(Aligner, AgreesWithTheReferenceOnRealVocabularies) {
  const auto shared = shared_data();
  if (!shared) GTEST_SKIP() << "no ../shared";
  const auto real = [&](const std::string& name) {
    const fs::path data = *shared / "data";
    if (name == "word_problems") return tokenizer_of(name);
    if (name == "stories") return Tokenizer::load(data / "stories260K/hf");
    if (name != "llama") return Tokenizer::load(data / "tokenizers" / name);
    const fs::path file = data / "tokenizers/gguf-vocab/ggml-vocab-llama-spm.gguf";
    return Tokenizer::parse(file.string(), tokenizer_json_of_gguf(file));
  };
  const Json file = Json::parse(read_file(golden / "token_spans_shared.json"));
  for (const auto& [name, rows] : file["pairs"].items()) {
    const size_t slash = name.find('/');
    const Pair pair(real(name.substr(0, slash)), real(name.substr(slash + 1)));
    expect_golden(file["texts"], name, rows, pair, false);
  }
}

// GOLD decodes and encodes again: a student that wrote "th" + "e" would be graded for "the".
TEST(Aligner, TakesTheIdsThatTheStudentChose) {
  const Pair pair(tokenizer_of("gpt2"), tokenizer_of("gpt2"));
  Ids broken;
  for (const char c : std::string(" the park")) {
    const Ids one = pair.a.encode_continuation(std::string(1, c));
    broken.insert(broken.end(), one.begin(), one.end());
  }
  const Ids whole = pair.a.encode_continuation(" the park");
  ASSERT_EQ(broken.size(), 9);
  ASSERT_LT(whole.size(), broken.size());
  const Alignment alignment = pair.aligner.align(broken);
  EXPECT_EQ(alignment.teacher, whole);
  EXPECT_EQ(std::ssize(alignment.spans), std::ssize(whole));
  pair.expect_sound(broken, alignment);
}

// The end is a pair of its own, there only where the student wrote it.
TEST(Aligner, TheEndIsOneSpanOfNoBytes) {
  Tokenizer student = tokenizer_of("deepseek");
  const int32_t end = student.id_of("<|end|>").value();
  Tokenizer teacher = tokenizer_of("llama2");
  const Pair pair(std::move(student), std::move(teacher), {end}, {2, 1});
  Ids ids = pair.a.encode_continuation("Tom");
  const Alignment cut = pair.aligner.align(ids);
  EXPECT_FALSE(cut.ended);
  EXPECT_NE(cut.teacher.back(), 2);
  ids.push_back(end);
  const Alignment whole = pair.aligner.align(ids);
  EXPECT_TRUE(whole.ended);
  EXPECT_EQ(whole.teacher.back(), 2);
  EXPECT_EQ(whole.spans.size(), cut.spans.size() + 1);
  EXPECT_EQ(whole.spans.back().student_end, std::ssize(ids));
  EXPECT_EQ(whole.masked, 0);
  const Alignment alone = pair.aligner.align(Ids{end});
  EXPECT_EQ(alone.teacher, Ids{2});
  EXPECT_EQ(alone.spans.size(), 1);
}

// llama2 would put a space before the text, and join it with what went before.
TEST(Aligner, NoSpaceIsPutBeforeTheTextOrTakenAway) {
  for (const char* name : {"llama2", "metaspace_always", "metaspace_first", "gpt2_prefix"}) {
    SCOPED_TRACE(name);
    const Pair pair(tokenizer_of("gpt2"), tokenizer_of(name));
    for (const char* text : {"a b", " a b", "   a", "\ta"}) {
      EXPECT_EQ(bytes_of(pair.b, pair.of(text).teacher), text);
      EXPECT_EQ(pair.of(text).masked, 0);
    }
  }
}

// KDFlow takes the marks away, which makes "a b" of "ab".
TEST(Aligner, SpacesCount) {
  const Pair pair(tokenizer_of("gpt2"), tokenizer_of("llama2"));
  EXPECT_NE(pair.of("a b").teacher, pair.of("ab").teacher);
  EXPECT_EQ(bytes_of(pair.b, pair.of("a b").teacher), "a b");
  EXPECT_EQ(pair.of("a b").masked, 0);
}

// A student's control tokens that it spelled out are text, for a teacher that has such tokens too.
TEST(Aligner, WhatSpellsASpecialTokenIsText) {
  const Pair pair(tokenizer_of("llama2"), tokenizer_of("llama3"));
  const Alignment alignment = pair.of("</s><s>");
  EXPECT_EQ(bytes_of(pair.b, alignment.teacher), "</s><s>");
  EXPECT_EQ(alignment.masked, 0);
  for (const int32_t id : alignment.teacher) EXPECT_FALSE(pair.b.is_special(id));
}

// Bug: a unigram model has <s> among its pieces and finds it in a text by itself.
TEST(Aligner, AModelFindsNoSpecialTokenOfItsOwn) {
  const Pair pair(tokenizer_of("gpt2"), tokenizer_of("unigram_bytes"));
  const Alignment alignment = pair.of("x </s><s> y");
  EXPECT_EQ(bytes_of(pair.b, alignment.teacher), "x </s><s> y");
  EXPECT_EQ(alignment.masked, 0);
  for (const int32_t id : alignment.teacher) EXPECT_FALSE(pair.b.is_special(id));
}

TEST(Aligner, SpecialTokensArePairedByNameOrMasked) {
  const Pair pair(tokenizer_of("llama2"), tokenizer_of("llama3"), {-1}, {0});
  const int32_t begin = pair.a.id_of("<s>").value(), unknown = pair.a.id_of("<unk>").value();
  Ids ids = pair.a.encode_continuation("Tom");
  const auto letters = std::ssize(ids);
  ids.push_back(begin);
  ids.push_back(unknown);
  for (const int32_t id : pair.a.encode_continuation(" has")) ids.push_back(id);
  const Alignment alignment = pair.aligner.align(ids);
  EXPECT_EQ(alignment.masked, 1);
  EXPECT_EQ(bytes_of(pair.b, alignment.teacher), "Tom has");
  const auto of_begin = std::ranges::find(alignment.spans, letters, &TokenSpan::student_begin);
  ASSERT_NE(of_begin, alignment.spans.end());
  EXPECT_EQ(alignment.teacher[of_begin->teacher_begin], pair.b.id_of("<s>"));
  EXPECT_EQ(std::ranges::count(alignment.spans, letters + 1, &TokenSpan::student_begin), 0);
  const Alignment specials = pair.aligner.align(Ids{unknown, unknown});
  EXPECT_EQ(specials.masked, 2);
  EXPECT_TRUE(specials.spans.empty());
}

// "e" with a combining accent is one character after NFC: its tokens are masked, no others.
TEST(Aligner, WhatANormalizerChangesIsMasked) {
  const Pair pair(tokenizer_of("gpt2"), tokenizer_of("digits"));
  const std::string text = "Once upon a time cafe\xCC\x81 is a park, and there is a little girl.";
  const Ids student = pair.a.encode_continuation(text);
  const Alignment alignment = pair.aligner.align(student);
  EXPECT_GT(alignment.masked, 0);
  EXPECT_LE(alignment.masked, 6);
  pair.expect_sound(student, alignment);
  EXPECT_EQ(alignment.spans.back().student_end, std::ssize(student));
}

TEST(Aligner, HalfCharactersAreBytes) {
  const std::string texts[] = {"a\xF0\x9F", "\xE4\xBD", "x\xF0\x9F\x91 y", "\xFF\xFE", "\x80"};
  for (const char* teacher : {"gpt2", "llama2", "unigram_bytes"}) {
    const Pair pair(tokenizer_of("deepseek"), tokenizer_of(teacher));
    for (const std::string& text : texts) {
      SCOPED_TRACE(teacher + testing::PrintToString(text));
      const Ids student = pair.a.encode_continuation(text);
      ASSERT_EQ(bytes_of(pair.a, student), text);
      const Alignment alignment = pair.aligner.align(student);
      EXPECT_EQ(bytes_of(pair.b, alignment.teacher), text);
      EXPECT_EQ(alignment.masked, 0);
      pair.expect_sound(student, alignment);
    }
  }
}

TEST(Aligner, NastyTextsLoseNoTokenUnsoundly) {
  const auto texts = Json::parse(read_file(golden / "tokenizers/expected.json"))["texts"]
                         .get<std::vector<std::string>>();
  for (const char* teacher : {"llama2", "digits", "unigram_precompiled", "o200k"}) {
    const Pair pair(tokenizer_of("gpt2"), tokenizer_of(teacher));
    for (const std::string& text : texts) {
      SCOPED_TRACE(teacher + testing::PrintToString(text.substr(0, 80)));
      const Ids student = pair.a.encode_continuation(text);
      pair.expect_sound(student, pair.aligner.align(student));
    }
  }
}

TEST(Aligner, RefusesTokensWithoutBytesOfTheirOwn) {
  try {
    const Pair pair(tokenizer_of("gpt2"), tokenizer_of("bert"));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.exit(), Exit::input);
    EXPECT_NE(std::string(error.what()).find("the teacher"), std::string::npos);
  }
}

}  // namespace
}  // namespace alambic::aligner_test
