// Names of the hub in options, from outside.
#include <gtest/gtest.h>

#include "alambic/base/files.h"
#include "alambic/cli/commands/info_options.h"
#include "alambic/hub/hub_models.h"
#include "alambic/options/config_toml.h"
#include "tests/hub/hub_server.h"
#include "tests/program/program.h"

namespace alambic::hub_test {
namespace {

const std::string commit(40, 'a');

// Of the program with this hub and a cache of the test's own.
class HubProgram : public testing::Test {
 protected:
  Outcome alambic_with(const std::string& endpoint, const std::string& arguments) const {
    return shell("cd " + folder_.string() + " && HF_TOKEN= HF_ENDPOINT=" + endpoint +
                 " ALAMBIC_CACHE=" + folder_.string() + "/cache " + kProgram + " " + arguments);
  }
  Outcome run(const std::string& arguments) const {
    return alambic_with(server_.endpoint, arguments);
  }
  void SetUp() override {
    fs::remove_all(folder_);
    fs::create_directories(folder_ / "here");
  }

  HubServer server_;
  const fs::path folder_ = fs::path(testing::TempDir()) / fmt::format("alambic_hub_{}", getpid());
};

TEST_F(HubProgram, FetchesAModelAndThenNeedsNoNetwork) {
  const Outcome first = run("info --json --model org/llama");
  EXPECT_EQ(first.code, 0) << first.text;
  EXPECT_NE(first.text.find("models--org--llama/snapshots/" + commit), std::string::npos);
  EXPECT_NE(first.text.find("\"model_type\":\"llama\""), std::string::npos) << first.text;
  const Outcome offline = alambic_with("http://127.0.0.1:1", "info --offline --model org/llama");
  EXPECT_EQ(offline.code, 0) << offline.text;
  const Outcome unreachable = alambic_with("http://127.0.0.1:1", "info --model org/llama");
  EXPECT_EQ(unreachable.code, 0) << unreachable.text;
  EXPECT_NE(unreachable.text.find("warning: http://127.0.0.1:1 cannot be reached"),
            std::string::npos);
}

TEST_F(HubProgram, SaysThatThereIsNeitherAFolderNorAModel) {
  const Outcome none = run("info --model org/none");
  EXPECT_EQ(none.code, 2);
  EXPECT_NE(none.text.find("--model: there is no folder org/none"), std::string::npos) << none.text;
  const Outcome gated = run("info --model org/gated");
  EXPECT_EQ(gated.code, 2);
  EXPECT_NE(gated.text.find("HF_TOKEN"), std::string::npos) << gated.text;
  const Outcome wrong = alambic_with("ftp://x", "info --model org/none");
  EXPECT_EQ(wrong.code, 2);
  EXPECT_NE(wrong.text.find("HF_ENDPOINT"), std::string::npos) << wrong.text;
}

// Prevents: a typing error in a local path that asks somebody else's server.
TEST_F(HubProgram, AsksNobodyForWhatLooksLikeAPath) {
  for (const std::string path : {"here/none", "./org/llama", "org/llama.gguf", "/org/llama"}) {
    const Outcome outcome = run("info --model " + path);
    EXPECT_EQ(outcome.code, 2) << path;
    EXPECT_NE(outcome.text.find("there is no such folder"), std::string::npos) << outcome.text;
  }
}

// Prevents: a run folder whose config.toml names a cache that other machines do not have.
TEST(HubConfig, KeepsTheNameAndTheCommit) {
  InfoOptions options;
  options.model = "/somewhere/hub/models--org--llama/snapshots/" + commit;
  EXPECT_NE(config_toml("info", options, as_hub_name).find("model = \"org/llama@" + commit + "\""),
            std::string::npos);
  options.model = "/somewhere/org/llama";
  EXPECT_NE(config_toml("info", options, as_hub_name).find("model = \"/somewhere/org/llama\""),
            std::string::npos);
}

}  // namespace
}  // namespace alambic::hub_test
