#include "alambic/text/align/cells.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "tests/shared_data.h"

namespace alambic::cells_test {
namespace {

using Ids = std::vector<int32_t>;

Tokenizer tokenizer_of(const std::string& name) {
  return Tokenizer::load(fs::path(ALAMBIC_SOURCE_DIR) / "tests/golden/tokenizers" / name);
}

Cells cells_of(const Tokenizer& a, const Tokenizer& b, Ids ends_a = {0}, Ids ends_b = {0}) {
  return common_cells(Aligner({a, std::move(ends_a), "a"}, {b, std::move(ends_b), "b"}));
}

void expect_identity(const Tokenizer& tokenizer) {
  const Cells cells = cells_of(tokenizer, tokenizer);
  EXPECT_EQ(cells.of_student, cells.of_teacher);
  EXPECT_EQ(cells.count, tokenizer.size());
  EXPECT_EQ(std::set<int32_t>(cells.of_student.begin(), cells.of_student.end()).size(),
            static_cast<size_t>(tokenizer.size()));
  EXPECT_TRUE(cells.student_paths.cells.empty());
  EXPECT_TRUE(cells.teacher_paths.cells.empty());
}

// llama3 has a token that no merge makes, and llama2 a token and a byte of equal bytes: a map that
// follows the encoder alone moves them.
TEST(Cells, OfEqualVocabulariesAreTheTokens) {
  for (const char* name : {"gpt2", "llama3", "llama2", "deepseek", "unigram_bytes"}) {
    SCOPED_TRACE(name);
    expect_identity(tokenizer_of(name));
  }
}

TEST(Cells, AreTheCommonStringsAndLeaveNoTokenOut) {
  const Tokenizer a = tokenizer_of("gpt2"), b = tokenizer_of("llama2");
  const Cells cells = cells_of(a, b, {a.id_of("<|end|>").value()}, {2});
  std::set<std::string> of_a, of_b, both;
  for (int32_t id = 0; id < a.size(); ++id) of_a.insert(a.bytes_of(id).value());
  for (int32_t id = 0; id < b.size(); ++id) of_b.insert(b.bytes_of(id).value());
  std::ranges::set_intersection(of_a, of_b, std::inserter(both, both.end()));
  both.erase("");
  std::set<std::string> found;
  for (const auto& [bytes, cell] : cells.common) found.insert(bytes);
  EXPECT_EQ(found, both);
  for (const auto& of : {cells.of_student, cells.of_teacher}) {
    for (const int32_t cell : of) {
      ASSERT_GE(cell, 0);
      ASSERT_LT(cell, cells.count);
    }
  }
  // A string of both is its own cell on both sides, any other token's cell is a beginning of it.
  std::vector<std::string> name(static_cast<size_t>(cells.count));
  for (const auto& [bytes, cell] : cells.common) name[static_cast<size_t>(cell)] = bytes;
  for (int32_t id = 0; id < a.size(); ++id) {
    const std::string bytes = a.bytes_of(id).value();
    const auto cell = static_cast<size_t>(cells.of_student[static_cast<size_t>(id)]);
    if (both.contains(bytes)) {
      EXPECT_EQ(name[cell], bytes);
    } else if (!name[cell].empty()) {
      EXPECT_TRUE(bytes.starts_with(name[cell])) << bytes;
    }
  }
}

// X-Token's failure: a teacher that splits digits. "201" belongs to "2".
TEST(Cells, JoinedDigitsBelongToTheFirst) {
  Tokenizer joined = tokenizer_of("gpt2");
  const Tokenizer split = tokenizer_of("digits");
  const auto id = joined.id_of("12");
  if (!id) GTEST_SKIP() << "the fixture has no joined digits";
  const Cells cells = cells_of(joined, split);
  if (cells.of_bytes("12") >= 0) GTEST_SKIP() << "both have the token";
  EXPECT_EQ(cells.of_student[static_cast<size_t>(*id)], cells.of_bytes("1"));
}

// The paths of the teacher's other tokens write their text, in strings of both.
TEST(Cells, PathsAreWhatTokensWrite) {
  const Tokenizer a = tokenizer_of("llama2"), b = tokenizer_of("gpt2");
  const Cells cells = cells_of(a, b, {2}, {b.id_of("<|end|>").value()});
  std::vector<std::string> name(static_cast<size_t>(cells.count));
  for (const auto& [bytes, cell] : cells.common) name[static_cast<size_t>(cell)] = bytes;
  int64_t paths = 0;
  for (int32_t id = 0; id < b.size(); ++id) {
    const auto path = cells.teacher_paths.of(id);
    if (path.empty()) continue;
    ++paths;
    EXPECT_EQ(path.front(), cells.of_teacher[static_cast<size_t>(id)]);
    std::string written;
    for (const int32_t cell : path) written += name[static_cast<size_t>(cell)];
    EXPECT_EQ(written, b.bytes_of(id).value());
  }
  EXPECT_GT(paths, 5);
}

TEST(Cells, EndsAreOneAndSpecialTokensGoByName) {
  const Tokenizer a = tokenizer_of("llama2"), b = tokenizer_of("llama3");
  const Cells cells = cells_of(a, b, {2}, {b.id_of("</s>").value(), 0});
  const auto of_a = [&](const char* name) {
    return cells.of_student[static_cast<size_t>(a.id_of(name).value())];
  };
  const auto of_b = [&](const char* name) {
    return cells.of_teacher[static_cast<size_t>(b.id_of(name).value())];
  };
  EXPECT_EQ(of_a("</s>"), cells.end);
  EXPECT_EQ(of_b("</s>"), cells.end);
  EXPECT_EQ(cells.of_teacher[0], cells.end);
  EXPECT_EQ(of_a("<s>"), of_b("<s>"));
  EXPECT_NE(of_a("<s>"), cells.end);
  EXPECT_EQ(of_a("<unk>"), cells.end);  // llama3 has nothing left over
}

TEST(Cells, OfRealVocabularies) {
  const auto shared = shared_data();
  if (!shared) GTEST_SKIP() << "no ../shared";
  const Tokenizer gpt2 = Tokenizer::load(*shared / "data/tokenizers/gpt2");
  const Tokenizer stories = Tokenizer::load(*shared / "data/stories260K/hf");
  expect_identity(gpt2);
  const Cells cells = cells_of(gpt2, stories, {50256}, {2});
  EXPECT_GT(cells.common.size(), 200);
  EXPECT_EQ(std::ranges::count(cells.of_student, -1), 0);
}

}  // namespace
}  // namespace alambic::cells_test
