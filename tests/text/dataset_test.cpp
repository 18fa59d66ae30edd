#include "alambic/text/dataset.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "alambic/base/error.h"

namespace alambic::dataset_test {
namespace {

class Dataset : public testing::Test {
 protected:
  void SetUp() override {
    folder = fs::temp_directory_path() / fmt::format("alambic-dataset-{}", ::getpid());
    fs::create_directories(folder);
  }
  void TearDown() override { fs::remove_all(folder); }

  std::vector<Example> read(const std::string& bytes, const std::vector<Fields>& any_of,
                            const std::string& name = "train.jsonl") {
    write_file(folder / name, bytes);
    return read_examples(folder / name, any_of);
  }
  std::string error_of(const std::string& bytes, const std::vector<Fields>& any_of = {{"prompt"}},
                       const std::string& name = "train.jsonl") {
    try {
      read(bytes, any_of, name);
    } catch (const Error& error) {
      EXPECT_EQ(error.exit(), Exit::input);
      return std::string(error.what()) + " | " + error.hint();
    }
    return "";
  }
  fs::path folder;
};

TEST_F(Dataset, ReadsRowsAndRemembersTheirLines) {
  const auto rows = read(
      "\xEF\xBB\xBF{\"prompt\": \"a\\u00e9\\n\", \"answer\": \"7\"}\r\n\r\n  \n"
      "{\"other\": [1], \"prompt\": \"b\", \"completion\": \"c\"}",
      {{"prompt"}});
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].prompt, "aé\n");
  EXPECT_EQ(rows[0].answers, std::vector<std::string>{"7"});
  EXPECT_EQ(rows[0].completion, std::nullopt);
  EXPECT_TRUE(rows[0].place.ends_with("train.jsonl:1")) << rows[0].place;
  EXPECT_EQ(rows[1].completion, "c");
  EXPECT_TRUE(rows[1].place.ends_with("train.jsonl:4")) << rows[1].place;
}

TEST_F(Dataset, ReadsPlainTextAsOneRow) {
  const auto rows = read("first\r\nsecond\n", {{"text"}}, "play.txt");
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].text, "first\r\nsecond\n");
  EXPECT_NE(error_of("x", {{"prompt"}}, "play.txt").find("is plain text"), std::string::npos);
}

TEST_F(Dataset, TakesAnyOfSeveralSetsOfFields) {
  const std::vector<Fields> any_of = {{"text"}, {"prompt", "completion"}};
  const auto rows = read("{\"text\": \"t\"}\n{\"prompt\": \"p\", \"completion\": \"\"}\n", any_of);
  EXPECT_EQ(rows[0].text, "t");
  EXPECT_EQ(rows[1].completion, "");
  const std::string error = error_of("{\"prompt\": \"p\"}", any_of);
  EXPECT_NE(error.find(":1: expected \"text\", or \"prompt\" and \"completion\"; found: prompt"),
            error.npos)
      << error;
}

struct Bad {
  const char* name;
  const char* bytes;
  const char* message;
};

const Bad table[] = {
    {"EmptyFile", "", "has no rows"},
    {"OnlyBlankLines", "\n \n", "has no rows"},
    {"MissingField", "{\"prompt\": \"a\"}\n\n{\"question\": \"q\", \"id\": 3}",
     "train.jsonl:3: no field \"prompt\"; found: question, id | each row needs"},
    {"NullField", "{\"prompt\": null}", "train.jsonl:1: field \"prompt\" is null; expected a text"},
    {"NoFields", "{}", "found: no fields"},
    {"WrongType", "{\"prompt\": 5}", "train.jsonl:1: field \"prompt\": expected a string, found 5"},
    {"WrongTypeOfAnOptionalField", "{\"prompt\": \"\", \"answer\": {}}", "field \"answer\""},
    {"BrokenJson", "{\"prompt\": \"a\"}\n{\"prompt\": \"a", "train.jsonl:2 is not valid JSON"},
    {"TwoValues", "{\"prompt\": \"a\"} x", "train.jsonl:1 is not valid JSON"},
    {"BrokenUtf8", "{\"prompt\": \"\xFF\"}",
     "train.jsonl:1 is not UTF-8: byte 13 of the row is 0xFF"},
    {"ListsInLines", "[{\"prompt\": \"a\"}]\n[{\"prompt\": \"b\"}]",
     "expected the end of the file"},
    {"ListInAList", "[[{\"prompt\": \"a\"}]]", "one object per line"},
    {"AString", "\"prompt\"", "is plain text; expected rows with \"prompt\""},
    {"ANumber", "5", "expected an object, found 5"},
    {"Messages", "{\"messages\": []}", "train.jsonl:1: the row is a conversation"},
    {"PromptOfMessages", "{\"prompt\": [{\"role\": \"user\"}]}",
     "train.jsonl:1: the row is a conversation"},
};

TEST_F(Dataset, NamesFileLineAndField) {
  for (const Bad& bad : table) {
    const std::string error = error_of(bad.bytes);
    EXPECT_NE(error.find(bad.message), error.npos) << bad.name << ": " << error;
  }
}

TEST_F(Dataset, RefusesDeepNesting) {
  EXPECT_NE(error_of("{\"prompt\": " + std::string(1'000'000, '[')).find("nested"),
            std::string::npos);
}

TEST_F(Dataset, SaysThatAFileIsMissing) {
  EXPECT_THROW(read_examples(folder / "none.jsonl", {{"prompt"}}), Error);
}

}  // namespace
}  // namespace alambic::dataset_test
