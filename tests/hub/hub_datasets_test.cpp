// Data sets of the hub: which of their files are fetched, and where they are found then.
#include "alambic/hub/hub_datasets.h"

#include <gtest/gtest.h>

#include "alambic/base/error.h"
#include "alambic/base/file_system.h"
#include "alambic/io/data_folder.h"
#include "tests/hub/hub_server.h"
#include "tests/io/io_testing.h"

namespace alambic::hub_datasets_test {
namespace {

TEST(HubData, HasANameARevisionAndASplit) {
  const auto parsed = [](const char* text) -> std::string {
    const auto data = parse_hub_data(text);
    return data ? data->name.id + " " + data->name.revision + " " + data->split : "none";
  };
  EXPECT_EQ(parsed("org/name"), "org/name main ");
  EXPECT_EQ(parsed("org/name:test"), "org/name main test");
  EXPECT_EQ(parsed("org/name@v1.0:test"), "org/name v1.0 test");
  EXPECT_EQ(parsed("org/name@refs/pr/1:main/train"), "org/name refs/pr/1 main/train");
  for (const char* text : {"name", "data/train.jsonl", "data/a.parquet", "./a/b", "/a/b", "a/b/c",
                           "org/name:", "org/name:..", "org/name:/x", "org/name:a b", "C:/x"}) {
    EXPECT_EQ(parsed(text), "none") << text;
  }
}

struct HubDatasets : testing::Test {
  HubServer server;
  HubSettings settings{.endpoint = server.endpoint, .cache = fresh_folder(), .wait = 0.01};

  std::string fetch(const std::string& name) const {
    return fetch_dataset(*parse_hub_data(name), settings);
  }
  std::string error_of(const std::string& name) const {
    try {
      fetch(name);
    } catch (const Error& error) {
      return std::string(error.what()) + " | " + error.hint();
    }
    return "no error";
  }
  bool has(const std::string& file) const {
    return path_exists(settings.cache / "datasets--org--qa/snapshots" / std::string(40, 'a') /
                       file);
  }
};

// The other splits stay where they are, and what was fetched is there without a network.
TEST_F(HubDatasets, AreFetchedBySplit) {
  const std::string folder = fetch("org/qa");
  EXPECT_EQ(data_files(folder, "").size(), 2u);
  EXPECT_TRUE(has("data/train-00001-of-00002.jsonl"));
  EXPECT_FALSE(has("data/test-00000-of-00001.jsonl"));
  EXPECT_TRUE(has("README.md"));  // which may say what the files are
  const std::string test = fetch("org/qa:test");
  EXPECT_EQ(test, folder + ":test");
  EXPECT_TRUE(has("data/test-00000-of-00001.jsonl"));
  settings.offline = true;
  EXPECT_EQ(fetch("org/qa"), folder);
  EXPECT_EQ(fetch("org/qa:test"), test);
  EXPECT_NE(error_of("org/several:main/train").find("it is not in the cache"), std::string::npos);
}

TEST_F(HubDatasets, OfSeveralConfigurationsNeedOne) {
  const std::string told = error_of("org/several");
  EXPECT_NE(told.find("org/several has several configurations: main, other"), told.npos) << told;
  const std::string folder = fetch("org/several:other/train");
  EXPECT_EQ(read_file(data_files(folder.substr(0, folder.find(":other")), "other/train").front()),
            "{\"prompt\": \"o\"}\n");
}

TEST_F(HubDatasets, ThatCannotBeReadAreRefused) {
  EXPECT_NE(error_of("org/images").find("org/images has no data files"), std::string::npos);
  EXPECT_NE(error_of("org/qa:extra").find("there are: test, train"), std::string::npos);
  EXPECT_NE(error_of("org/leaving").find("a file outside its folder"), std::string::npos);
  EXPECT_NE(error_of("org/none").find("org/none"), std::string::npos);
}

struct DataOptions : Options {
  std::vector<std::string> data;
  std::string valid_data, out;
  void visit(OptionVisitor& v) override {
    v.list("data", data, "").path();
    v.text("valid-data", valid_data, "").path();
    v.text("out", out, "").path();
  }
};

TEST_F(HubDatasets, StandInOptionsBesideFilesAndWeights) {
  ::setenv("HF_ENDPOINT", server.endpoint.c_str(), 1);
  ::setenv("HF_HUB_CACHE", settings.cache.c_str(), 1);
  const fs::path there = fresh_folder() / "rows.jsonl";
  write_file(there, "{}");
  DataOptions options;
  options.data = {"org/qa=0.7", there.string() + "=0.3", "org/missing.jsonl"};
  options.valid_data = "org/qa:test";
  options.out = "org/qa";
  fetch_datasets(options, false);
  ::unsetenv("HF_ENDPOINT");
  ::unsetenv("HF_HUB_CACHE");
  const std::string folder =
      (settings.cache / "datasets--org--qa/snapshots" / std::string(40, 'a')).string();
  EXPECT_EQ(options.data, (std::vector<std::string>{folder + "=0.7", there.string() + "=0.3",
                                                    "org/missing.jsonl"}));
  EXPECT_EQ(options.valid_data, folder + ":test");
  EXPECT_EQ(options.out, "org/qa");
}

}  // namespace
}  // namespace alambic::hub_datasets_test
