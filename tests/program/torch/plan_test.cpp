// `check --world-size`: a machine that this process is not on.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "alambic/base/files.h"
#include "alambic/base/temporary_folder.h"
#include "tests/program/torch/tiny_llama.h"

namespace alambic::plan_test {
namespace {

using Json = nlohmann::ordered_json;

struct Plan : testing::Test {
  TemporaryFolder scratch;
  fs::path folder = scratch.path();

  // Of the models there is config.json alone.
  void SetUp() override {
    for (const char* name : {"student", "teacher"}) {
      init_tiny_llama(folder / "whole", "4");
      fs::create_directories(folder / name);
      fs::rename(folder / "whole/config.json", folder / name / "config.json");
      fs::remove_all(folder / "whole");
    }
  }
  Outcome check(const std::string& more) const {
    return alambic("check --student " + (folder / "student").string() + " --teacher " +
                   (folder / "teacher").string() + " " + more);
  }
};

// Prevents a plan that asks this machine, or needs weights, rows or a tokenizer.
TEST_F(Plan, NeedsTheConfigurationsAlone) {
  const fs::path page = folder / "scale.html";
  const Outcome outcome = check(
      "--world-size 64 --nodes 8 --accelerator h200 --device-memory 141GB --batch-size 256 --scale "
      "--scale-report " +
      page.string() + " --json");
  ASSERT_EQ(outcome.code, 0) << outcome.text;
  const Json json = Json::parse(outcome.text);
  EXPECT_EQ(json["verdict"], "good");
  EXPECT_EQ(json["plan"]["devices"], 64);
  EXPECT_EQ(json["plan"]["per_node"], 8);
  EXPECT_GT(json["plan"]["step_seconds"], 0);
  EXPECT_EQ(json["scale"]["points"].back()["devices"], 10000);
  EXPECT_NE(read_file(page).find("devices"), std::string::npos);
}

TEST_F(Plan, SaysWhatDominatesAndWhatToChange) {
  const Outcome outcome = check("--world-size 8 --batch-size 64");
  ASSERT_EQ(outcome.code, 0) << outcome.text;
  EXPECT_NE(check("--world-size 8 --zero-stage 3 --teacher-weights host")
                .text.find("ZeRO stage 3 over 8 ranks, teacher host"),
            std::string::npos);
  for (const char* part :
       {"ZeRO stage", "of a device's", "a rank receives", "most of it", "hint:"}) {
    EXPECT_NE(outcome.text.find(part), std::string::npos) << part << "\n" << outcome.text;
  }
}

// Prevents a plan in which every device has the teacher too.
TEST_F(Plan, GivesTheTeacherDevicesOfItsOwn) {
  const std::string roles = "--world-size 8 --batch-size 64 --teacher-ranks 2 ";
  const Json json = Json::parse(check(roles + "--json").text);
  EXPECT_EQ(json["plan"]["teacher_devices"], 2);
  EXPECT_FALSE(json["plan"]["memory"].contains("teacher"));
  EXPECT_GT(json["plan"]["teacher_memory"]["teacher"], 0);
  const Outcome outcome = check(roles);
  for (const char* part : {"on 2 of its own, 6 learn", "; of one with the teacher "}) {
    EXPECT_NE(outcome.text.find(part), std::string::npos) << part << "\n" << outcome.text;
  }
  EXPECT_EQ(check("--world-size 8 --teacher-ranks 8").code, 2);
}

// Prevents a plan for ranks that the run would refuse.
TEST_F(Plan, LetsDevicesWriteTogether) {
  const Outcome outcome = check("--world-size 8 --zero-stage 3 --tensor-parallel-size 2");
  ASSERT_EQ(outcome.code, 0) << outcome.text;
  for (const char* part :
       {"completions by 2 together", "student's part for writing", "sums of heads and columns"}) {
    EXPECT_NE(outcome.text.find(part), std::string::npos) << part << "\n" << outcome.text;
  }
  EXPECT_EQ(check("--world-size 8 --tensor-parallel-size 4").code, 2);  // 2 heads
  EXPECT_EQ(check("--world-size 7 --nodes 1 --tensor-parallel-size 2").code, 2);
}

// Prevents a plan in which every device gets all experts, and one for ranks that the run would
// refuse.
TEST_F(Plan, LetsDevicesDivideExperts) {
  EXPECT_EQ(check("--world-size 8 --expert-parallel-size 2").code, 2);  // dense
  init_tiny_mixtral(folder / "whole", "4");
  fs::rename(folder / "whole/config.json", folder / "student/config.json");
  const Outcome outcome = check("--world-size 8 --expert-parallel-size 2");
  ASSERT_EQ(outcome.code, 0) << outcome.text;
  for (const char* part :
       {"over 2 ranks, experts divided (--expert-parallel-size 2)", "tokens to experts and back"}) {
    EXPECT_NE(outcome.text.find(part), std::string::npos) << part << "\n" << outcome.text;
  }
  EXPECT_EQ(check("--world-size 8 --expert-parallel-size 8").code, 2);  // 4 experts
  EXPECT_EQ(check("--world-size 7 --nodes 1 --expert-parallel-size 2").code, 2);
}

// Prevents a job of a day's queue that ends in its first step.
TEST_F(Plan, RefusesWhatFitsInNoWay) {
  const Outcome outcome = check("--world-size 8 --device-memory 1MB");
  EXPECT_EQ(outcome.code, 4) << outcome.text;
  EXPECT_NE(outcome.text.find("does not fit, however it is sharded"), std::string::npos);
  EXPECT_EQ(check("--world-size 8 --device-memory much").code, 2);
  EXPECT_EQ(check("--world-size 8 --accelerator h300").code, 2);
  EXPECT_EQ(check("--world-size 9 --nodes 2").code, 2);
  EXPECT_EQ(check("").code, 2);  // no --data
}

}  // namespace
}  // namespace alambic::plan_test
