#include "alambic/report/json_lines.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "alambic/base/error.h"

namespace alambic::json_lines_test {
namespace {

using Json = nlohmann::ordered_json;

struct JsonLines : testing::Test {
  fs::path path = fs::temp_directory_path() / fmt::format("alambic-jsonl-{}.jsonl", ::getpid());
  ~JsonLines() override { fs::remove(path); }
};

TEST_F(JsonLines, ArriveInTheFileBeforeTheNextIsWritten) {
  JsonLinesWriter writer(path);
  writer.append({{"zebra", 1}, {"apple", 2}});
  EXPECT_EQ(read_file(path), "{\"zebra\":1,\"apple\":2}\n");
  writer.append({{"text", "two\nlines"}});
  EXPECT_EQ(read_json_lines(path).at(1).at("text"), "two\nlines");
}

TEST_F(JsonLines, StartAfreshUnlessResumed) {
  write_file(path, "{\"step\":1}\n");
  JsonLinesWriter writer(path);
  EXPECT_EQ(read_file(path), "");
}

TEST_F(JsonLines, ResumingDropsLaterStepsAndATornLine) {
  write_file(path, "{\"note\":0}\n{\"step\":1}\n{ \"step\" : 2 }\n{\"step\":3}\n{\"step\":2,\"x");
  JsonLinesWriter writer(path, 2);
  writer.append({{"step", 3}});
  EXPECT_EQ(read_file(path), "{\"note\":0}\n{\"step\":1}\n{ \"step\" : 2 }\n{\"step\":3}\n");
}

TEST_F(JsonLines, ResumingAMissingFileCreatesIt) {
  JsonLinesWriter writer(path, 2);
  writer.append({{"step", 3}});
  EXPECT_EQ(read_json_lines(path).size(), 1u);
}

TEST_F(JsonLines, ACompleteLastLineNeedsNoNewline) {
  write_file(path, "{\"step\":1}\r\n\n{\"step\":2}");
  EXPECT_EQ(read_json_lines(path).size(), 2u);
  JsonLinesWriter(path, 9).append({{"step", 3}});
  EXPECT_EQ(read_json_lines(path).size(), 3u);
}

TEST_F(JsonLines, NameTheBadLineInTheMiddle) {
  for (const char* bad : {"{\"a\":", "[1]", "7", "{\"a\":\"\xff\"}"}) {
    write_file(path, fmt::format("{{}}\n{}\n{{}}\n", bad));
    try {
      read_json_lines(path);
      ADD_FAILURE() << bad;
    } catch (const Error& error) {
      EXPECT_EQ(error.exit(), Exit::input);
      EXPECT_NE(std::string(error.what()).find("line 2"), std::string::npos) << error.what();
    }
  }
}

TEST_F(JsonLines, ReadAsTornAtEveryByteOfTheLastLine) {
  const std::string whole = "{\"step\":1}\n";
  const std::string last = "{\"step\":2,\"text\":\"a\\u00e9\",\"x\":[1.5e3,null]}";
  for (size_t length = 0; length < last.size(); ++length) {
    write_file(path, whole + last.substr(0, length));
    EXPECT_EQ(read_json_lines(path).size(), 1u) << length;
  }
}

TEST_F(JsonLines, ReplaceATornCharacterOfASample) {
  JsonLinesWriter(path).append({{"completion", "caf\xc3"}});
  EXPECT_EQ(read_json_lines(path).at(0).at("completion"), "caf\xef\xbf\xbd");
}

TEST_F(JsonLines, AFolderThatIsMissingIsAnEnvironmentError) {
  try {
    JsonLinesWriter writer("/no/such/folder/metrics.jsonl");
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.exit(), Exit::environment);
  }
}

}  // namespace
}  // namespace alambic::json_lines_test
