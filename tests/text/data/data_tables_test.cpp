// Parquet and Arrow files as `datasets` and pyarrow write them, against their rows in Python.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "alambic/base/error.h"
#include "alambic/base/file_system.h"
#include "alambic/base/temporary_folder.h"
#include "alambic/text/data/table_library.h"
#include "alambic/text/dataset.h"

namespace alambic::data_tables_test {
namespace {

const fs::path golden_tables = fs::path(ALAMBIC_SOURCE_DIR) / "tests/golden/data/tables";

std::string error_of(const std::string& name) {
  try {
    DataRows::open(name);
  } catch (const Error& error) {
    return fmt::format("{} {} | {}", static_cast<int>(error.exit()), error.what(), error.hint());
  }
  return "no error";
}

struct DataTables : testing::Test {
  void SetUp() override {
    if (!has_table_library()) GTEST_SKIP() << "built without Apache Arrow (tools/setup --arrow)";
  }
};

// Prevents runs, unions and views of Arrow files from being read as what a debugger prints of them.
TEST_F(DataTables, HoldTheRowsThatPythonReads) {
  const auto golden = nlohmann::json::parse(read_file(golden_tables / "rows.json"));
  for (const auto& [name, expected] : golden["tables"].items()) {
    const DataRows rows = DataRows::open((golden_tables / name).string());
    ASSERT_EQ(rows.size(), expected.size()) << name;
    for (size_t i = 0; i < rows.size(); ++i) {
      EXPECT_EQ(nlohmann::json::parse(rows.row(i).text), expected[i]) << name << ", row " << i;
    }
  }
}

// Prevents columns of another name, nulls where text should be and conversations from being read
// otherwise than those of jsonl.
TEST_F(DataTables, AreReadAsJsonlIs) {
  const std::string file = (golden_tables / "types_zstd.parquet").string();
  const Examples rows(Dataset::open(file, parse_columns({"completion=large,answer=i64"})),
                      {{"prompt", "completion"}});
  EXPECT_EQ(rows[0].prompt, "a");
  EXPECT_EQ(rows[0].completion, "x");
  EXPECT_EQ(rows[0].answers, std::vector<std::string>{"-9223372036854775808"});
  try {
    rows[1];
    FAIL() << "the prompt is null";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("types_zstd.parquet:2: field \"prompt\" is null"),
              std::string::npos)
        << error.what();
  }
}

// A cut or changed file must be refused in words, whatever byte it is.
TEST_F(DataTables, ThatAreBrokenAreRefused) {
  const TemporaryFolder folder;
  for (const char* name : {"types_snappy.parquet", "types_stream.arrow", "types_file.arrow",
                           "rare_stream.arrow", "rare_file.arrow"}) {
    const std::string whole = read_file(golden_tables / name);
    const std::string file = (folder.path() / name).string();
    for (size_t size = 16; size + 1 < whole.size(); size += whole.size() / 23 + 1) {
      write_file(file, whole.substr(0, size));
      const std::string told = error_of(file);
      EXPECT_TRUE(told.starts_with("2 cannot read " + file) || told == "no error") << told;
    }
    for (size_t at = 8; at < whole.size(); at += whole.size() / 97 + 1) {
      std::string changed = whole;
      changed[at] = static_cast<char>(changed[at] ^ 0x55);
      write_file(file, changed);
      const std::string told = error_of(file);
      EXPECT_TRUE(told.starts_with("2 ") || told == "no error") << told;
    }
  }
}

TEST(DataTablesWithoutArrow, SayWhatToInstall) {
  if (has_table_library()) GTEST_SKIP() << "built with Apache Arrow";
  const std::string told = error_of((golden_tables / "chats.parquet").string());
  EXPECT_TRUE(told.starts_with("3 ")) << told;
  EXPECT_NE(told.find("tools/setup --arrow"), told.npos) << told;
}

}  // namespace
}  // namespace alambic::data_tables_test
