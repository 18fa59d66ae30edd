// Tokenized rows on the disk, and rows that are longer than the context.
#include "alambic/train/tokenized_rows.h"

#include <gtest/gtest.h>

#include "alambic/base/error.h"
#include "tests/train/task_fixture.h"

namespace alambic::tokenized_rows_test {
namespace {

// Rows whose tokens do not fit into what is kept in memory come back from the disk as they were.
TEST(TokenizedRows, ComeBackAsTheyWere) {
  std::vector<TokenizedExample> examples;
  for (int32_t i = 0; i < 300; ++i) {
    TokenizedExample example{.prompt = std::vector<int32_t>(i % 7 + (i == 150 ? 1'100'000 : 1), i)};
    if (i % 3 != 0) example.completion = std::vector<int32_t>(i % 5, 1000 + i);
    if (i % 6 == 1 && i % 5 > 0) {
      example.learned.assign(i % 5, true);
      example.learned.back() = false;
    }
    examples.push_back(std::move(example));
  }
  const TokenizedRows rows(examples);
  ASSERT_EQ(rows.size(), std::ssize(examples));
  for (int64_t i = rows.size() - 1; i >= 0; --i) {
    const TokenizedExample row = rows[i];
    EXPECT_EQ(row.prompt, examples[i].prompt);
    EXPECT_EQ(row.completion, examples[i].completion);
    EXPECT_EQ(row.learned, examples[i].learned);
  }
}

TokenizedExample of(size_t prompt, size_t completion) {
  return {.prompt = std::vector<int32_t>(prompt, 5),
          .completion = std::vector<int32_t>(completion, 6)};
}

TEST(LongRows, AreAnErrorUnlessSomethingElseIsAsked) {
  RowFit fit{.positions = 8};
  TokenizedExample fits = of(4, 4), longer = of(4, 5), prompt{.prompt = std::vector<int32_t>(8, 5)};
  EXPECT_TRUE(fit.fit("a:1", fits));
  for (TokenizedExample* row : {&longer, &prompt}) {
    try {
      fit.fit("a:2", *row);
      FAIL() << "it is too long";
    } catch (const Error& error) {
      EXPECT_TRUE(std::string(error.what()).starts_with("a:2: "));
      EXPECT_NE(error.hint().find("--on-long-row skip or truncate"), std::string::npos);
    }
  }
}

TEST(LongRows, AreLeftOutAndCounted) {
  RowFit fit{.positions = 8, .on_long_row = OnLongRow::skip};
  TokenizedExample fits = of(4, 4), longer = of(4, 5), prompt = of(8, 1);
  EXPECT_TRUE(fit.fit("a:1", fits));
  EXPECT_FALSE(fit.fit("a:2", longer));
  EXPECT_FALSE(fit.fit("a:3", prompt));
  EXPECT_EQ(fit.kept, 1);
  EXPECT_EQ(fit.skipped, 2);
  EXPECT_EQ(fit.first, "a:2");
  EXPECT_EQ(fit.longest, 9);
}

// What is cut away takes its mask with it, and a row of which nothing is learned any more goes.
TEST(LongRows, AreCutAtTheContextsEnd) {
  RowFit fit{.positions = 8, .on_long_row = OnLongRow::truncate};
  TokenizedExample longer = of(4, 9), prompt = of(8, 1), late = of(4, 6), early = of(4, 6);
  late.learned = {false, false, false, false, false, true};
  early.learned = {true, false, false, false, false, true};
  EXPECT_TRUE(fit.fit("a:1", longer));
  EXPECT_EQ(longer.completion, std::vector<int32_t>(4, 6));
  EXPECT_FALSE(fit.fit("a:2", prompt));
  EXPECT_FALSE(fit.fit("a:3", late));
  EXPECT_TRUE(fit.fit("a:4", early));
  EXPECT_EQ(early.learned, (std::vector<bool>{true, false, false, false}));
  EXPECT_EQ(fit.truncated, 2);
  EXPECT_EQ(fit.skipped, 2);
}

TEST(LongRows, AreRefusedWhereNoneIsLeft) {
  RowFit fit{.positions = 2, .on_long_row = OnLongRow::skip};
  TokenizedExample row = of(4, 4);
  EXPECT_FALSE(fit.fit("a:1", row));
  EXPECT_THROW(fit.report("a"), Error);
}

}  // namespace
}  // namespace alambic::tokenized_rows_test
