// Files by the `configs` of a data set's README.md, against `datasets`
// (tools/goldens/data_cards.py).
#include "alambic/io/data_card.h"

#include <nlohmann/json.hpp>

#include "alambic/io/block_yaml.h"
#include "alambic/io/data_folder.h"
#include "tests/io/io_testing.h"

namespace alambic::data_card_test {
namespace {

using Names = std::vector<std::string>;

// Bug: the README.md was not looked at, and files were taken by words in their names.
TEST(DataCard, SaysTheFilesThatDatasetsTakes) {
  const auto golden = nlohmann::json::parse(
      read_file(fs::path(ALAMBIC_SOURCE_DIR) / "tests/golden/data/cards.json"));
  ASSERT_GT(golden["cases"].size(), 20U);
  for (const auto& one : golden["cases"]) {
    const std::string what = one["title"].get<std::string>() + ": " + one["wanted"].dump();
    nlohmann::json files;
    try {
      files = choose_data_files("the data", golden["names"], one["wanted"], one["readme"]);
    } catch (const Error& error) {
      EXPECT_EQ(error.exit(), Exit::input);
    }
    EXPECT_EQ(files, one["files"]) << what;
  }
}

TEST(DataCard, OfAFolderIsRead) {
  const fs::path folder = fresh_folder();
  for (const char* name : {"questions.jsonl", "train.jsonl"}) write_file(folder / name, "{}");
  EXPECT_EQ(data_files(folder, ""), (std::vector<fs::path>{folder / "train.jsonl"}));
  write_file(folder / "README.md",
             "---\nconfigs:\n- config_name: default\n  data_files: questions.jsonl\n---\n");
  EXPECT_EQ(data_files(folder, ""), (std::vector<fs::path>{folder / "questions.jsonl"}));
}

TEST(DataCard, IsRefusedByPlaceAndKey) {
  const auto refused = [](const std::string& head, const std::vector<std::string>& words) {
    expect_refused([&] { choose_data_files("org/name", {"a.csv"}, "", "---\n" + head + "---\n"); },
                   words);
  };
  refused("configs:\n- config_name: x\n  data_files: a.csv\n  sep: ';'\n", {"\"sep\"", "\"x\""});
  refused("configs: 3\n", {"org/name/README.md", "configs"});
  refused("a: b\nconfigs:\n- config_name: |\n    x\n", {"org/name/README.md:4"});
  refused("configs:\n- config_name: x\n  data_files: &files a.csv\n", {"README.md:4", "&files"});
  refused("configs:\n- config_name: x\n  data_files:\n    train: a.csv\n", {"data_files"});
  refused("configs:\n- config_name: x\n  data_files: ../a.csv\n", {"within the data set"});
  refused("configs:\n- config_name: x\n  data_files: [a.csv\n", {"README.md:4"});
  refused("configs:\n- config_name: x\n  data_files: b*\n", {"b*", "no data file"});
  refused("configs:\n- config_name: x\n  data_files: a.csv\n- config_name: y\n",
          {"several configurations", "x, y"});
}

TEST(DataCard, MatchesPathsAsFsspec) {
  for (const auto& [pattern, path] : {std::pair("*", "a"),
                                      {"**", "a/b"},
                                      {"**/b", "b"},
                                      {"**/b", "a/c/b"},
                                      {"a/**", "a/b"},
                                      {"?.txt", "b.txt"},
                                      {"[!a]x", "bx"},
                                      {"a[0-9]", "a7"},
                                      {".a/*", ".a/b"}}) {
    EXPECT_TRUE(matches_path(pattern, path)) << pattern << " " << path;
  }
  for (const auto& [pattern, path] : {std::pair("*", "a/b"),
                                      {"a", "ab"},
                                      {"**", ".a/b"},
                                      {"*", "__a"},
                                      {"?", "/"},
                                      {"[a]x", "bx"},
                                      {"a/*", "a/b/c"}}) {
    EXPECT_FALSE(matches_path(pattern, path)) << pattern << " " << path;
  }
}

// Prevents: a pattern that takes forever.
TEST(DataCard, MatchesManyStarsSoon) {
  std::string stars, path(200, 'a');
  for (int i = 0; i < 60; ++i) stars += "*a";
  EXPECT_FALSE(matches_path(stars + "b", path));
  EXPECT_TRUE(matches_path(stars + "*", path));
}

TEST(BlockYaml, IsReadAsItIsLaidOut) {
  const YamlValue value = yaml_member(
      "x: 1\nlist:\n- a: b # c\n  d:\n  - 'it''s'\n  - \"q\\\"\"\n-\n  - {e: [f, g]}\n- h#i\ny: "
      "2\n",
      "list", "f", 1);
  ASSERT_EQ(value.items.size(), 3U);
  EXPECT_EQ(value.items[0].find("a")->text, "b");
  EXPECT_EQ(value.items[0].find("d")->items[0].text, "it's");
  EXPECT_EQ(value.items[0].find("d")->items[1].text, "q\"");
  EXPECT_EQ(value.items[1].items[0].find("e")->items[1].text, "g");
  EXPECT_EQ(value.items[2].text, "h#i");
  EXPECT_EQ(yaml_member("x: 1\n", "list", "f", 1).text, "");
  const std::string deep = "list:\n  " + std::string(100'000, '[');
  expect_refused([&] { yaml_member(deep, "list", "f", 1); }, {"f:2"});
}

}  // namespace
}  // namespace alambic::data_card_test
