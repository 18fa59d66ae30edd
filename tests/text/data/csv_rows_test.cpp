// Tables of text against the rows that `datasets` reads from them (tools/goldens/csv_files.py).
#include "alambic/text/data/csv_rows.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "alambic/base/base64.h"
#include "alambic/base/error.h"
#include "alambic/base/files.h"
#include "alambic/base/temporary_folder.h"
#include "alambic/io/data_folder.h"
#include "alambic/text/dataset.h"

namespace alambic::csv_rows_test {
namespace {

using Json = nlohmann::json;

Json rows_of(const std::string& name, std::string_view text) {
  Json rows = Json::array();
  const std::string_view mark = "\xEF\xBB\xBF";
  if (text.starts_with(mark)) text.remove_prefix(mark.size());
  write_csv_rows(name, text, name.ends_with(".tsv") ? '\t' : ',',
                 [&](std::string_view row) { rows.push_back(Json::parse(row)); });
  return rows;
}

std::string error_of(const std::string& text) {
  try {
    return rows_of("a.csv", text).dump();
  } catch (const Error& error) {
    EXPECT_EQ(error.exit(), Exit::input);
    return std::string(error.what()) + " | " + error.hint();
  }
}

// Bug: a .csv was read as lines of JSON, and refused.
TEST(CsvRows, AreThoseThatDatasetsReads) {
  const auto golden =
      Json::parse(read_file(fs::path(ALAMBIC_SOURCE_DIR) / "tests/golden/data/csv.json"));
  ASSERT_GT(golden["cases"].size(), 400U);
  for (const Json& one : golden["cases"]) {
    const std::string name = one["file"], text = decode_base64(one["bytes"].get<std::string>());
    Json rows;
    try {
      rows = rows_of(name, text);
    } catch (const Error& error) {
      EXPECT_EQ(error.exit(), Exit::input);
    }
    if (rows == Json::array() && one["rows"].is_null()) continue;  // said when it is opened
    EXPECT_EQ(rows, one["rows"]) << name << ": " << text;
  }
}

TEST(CsvRows, AreRefusedByFileAndLine) {
  EXPECT_NE(error_of("p,c\n\"a\nb\",c\nd,e,f\n").find("a.csv:4: the row has 3 fields"),
            std::string::npos);
  EXPECT_NE(error_of("p,c\n\n\"a\r\nb").find("a.csv:3: a quote"), std::string::npos);
}

// Prevents: a header of many equal names that takes forever.
TEST(CsvRows, HaveManyColumnsSoon) {
  std::string text;
  for (int i = 0; i < 20'000; ++i) text += "p,";
  const Json row = rows_of("a.csv", text + "\na\n")[0];
  EXPECT_EQ(row.size(), 20'001U);
  EXPECT_EQ(row["p"], "a");
  EXPECT_TRUE(row["p.19999"].is_null());
}

TEST(CsvRows, AreRowsOfADataSetPackedOrNot) {
  const TemporaryFolder folder;
  const std::string file = folder.path() / "rows.csv";
  write_file(file, "question,answer\n\"2 +\n2?\",4\n");
  const Dataset data = Dataset::open(file, parse_columns({"prompt=question"}));
  const Examples rows(data, {{"prompt"}});
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows.front().prompt, "2 +\n2?");
  EXPECT_EQ(rows.front().answers, std::vector<std::string>{"4"});
  EXPECT_EQ(data_files(folder.path(), ""), std::vector<fs::path>{file});
  write_file(file, "question,answer\n\xE9,4\n");
  EXPECT_THROW(Dataset::open(file), Error);
}

}  // namespace
}  // namespace alambic::csv_rows_test
