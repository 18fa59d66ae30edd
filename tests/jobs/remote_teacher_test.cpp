// Distilling from a teacher behind an address.
#include "tests/jobs/served_teacher.h"

namespace alambic::remote_teacher_test {
namespace {

// Bug: a teacher far away teaches something else than the same one here.
TEST_F(RemoteTeacherTest, TeachesWhatTheSameTeacherHereDoes) {
  serve();
  DistillOptions local = distillation("local");
  local.loss.kd_topk = 8;
  jobs::distill(local);
  EXPECT_EQ(jobs::distill(remote("far")).ending, RunEnding::finished);
  expect_same_figures("local", "far", "topk_reverse_kl");
  // One number a token.
  local = distillation("local-sampled");
  local.loss.objective = "sampled_reverse_kl";
  jobs::distill(local);
  jobs::distill(remote("far-sampled", "sampled_reverse_kl"));
  expect_same_figures("local-sampled", "far-sampled", "sampled_reverse_kl");
}

// Bug: a server of ours, whose hidden states say all, is asked for a few tokens.
TEST_F(RemoteTeacherTest, HiddenStatesTeachTheSameBytesAtAnyTemperature) {
  serve();
  served->ours = true;
  const std::pair<const char*, std::function<void(DistillOptions&)>> cases[] = {
      {"exact", [](DistillOptions&) {}},
      {"softened",
       [](DistillOptions& o) {
         o.loss.objective = "jsd";
         o.loss.kd_temperature = 2;
       }},
      {"by-student", [](DistillOptions& o) {
         o.loss.kd_topk = 8;
         o.loss.kd_topk_by = TopKBy::both;
       }}};
  for (const auto& [name, change] : cases) {
    DistillOptions local = distillation(std::string("local-") + name);
    // As the server computes: one sequence a pass.
    local.training.micro_batch_size = 1;
    change(local);
    jobs::distill(local);
    DistillOptions far = remote(std::string("far-") + name);
    far.training.micro_batch_size = 1;
    far.loss.kd_topk = 0;
    change(far);
    jobs::distill(far);
    EXPECT_EQ(weights_of(std::string("far-") + name), weights_of(std::string("local-") + name))
        << name;
  }
  // The K most likely tokens where they suffice.
  jobs::distill(remote("far-topk"));
  EXPECT_EQ(server->requests().back().body.find("hidden"), std::string::npos);
}

// Bug: a step learns from half of its grades; what was paid for is asked again; a resumed run is
// another one.
TEST_F(RemoteTeacherTest, AServerThatGoesStopsTheRunWhereItWas) {
  serve();
  jobs::distill(remote("whole"));
  const std::vector<std::string> all = asked();
  std::atomic<int> left = 3 + 10;  // the probe's and those of two and a half steps
  serve([&](const ServedRequest& request) {
    if (!request.body.empty() && left-- <= 0) return ServedReply{.status = 401};
    return (*served)(request);
  });
  DistillOptions options = remote("broken");
  EXPECT_THROW(jobs::distill(options), Error);
  left = 1000;
  options.run.resume = true;
  EXPECT_EQ(jobs::distill(options).ending, RunEnding::finished);
  EXPECT_EQ(weights_of("broken"), weights_of("whole"));
  // All but the probes' (three requests each, and one that is refused).
  std::map<std::string, int> times;
  for (const std::string& body : asked()) ++times[body];
  int again = 0;
  for (const auto& [body, count] : times) again += count > 1;
  EXPECT_LE(again, 2 + 2) << "the probe's two texts, and what was refused";
}

TEST_F(RemoteTeacherTest, ABudgetStopsBeforeItIsSpentAndSaves) {
  serve();
  DistillOptions options = remote("broke");
  options.teachers.remote.budget_tokens = 160;
  const RunResult result = jobs::distill(options);
  EXPECT_EQ(result.ending, RunEnding::stopped);
  EXPECT_TRUE(fs::exists(folder / "broke/checkpoints") || result.steps == 0);
  options.teachers.remote.budget_tokens = 0;
  options.run.resume = true;
  EXPECT_EQ(jobs::distill(options).ending, RunEnding::finished);
  jobs::distill(remote("whole"));
  EXPECT_EQ(weights_of("broke"), weights_of("whole"));
}

// Bug: a run goes on with another teacher because the address is the same.
TEST_F(RemoteTeacherTest, KnowsItsServerAgain) {
  serve();
  DistillOptions options = remote("run");
  options.teachers.remote.budget_tokens = 160;
  ASSERT_EQ(jobs::distill(options).ending, RunEnding::stopped);
  options.teachers.remote.budget_tokens = 0;
  options.run.resume = true;
  served = std::make_unique<ServedModel>(at("student"));
  const auto refusal = [&] {
    try {
      jobs::distill(options);
    } catch (const Error& error) {
      return error.what() + error.hint();
    }
    return std::string("none");
  };
  EXPECT_NE(refusal().find("other weights"), std::string::npos) << refusal();
  EXPECT_NE(refusal().find("--allow-change"), std::string::npos);
  served = std::make_unique<ServedModel>(at("teacher"));
  served->name = "renamed";
  EXPECT_NE(refusal().find("model renamed (served before)"), std::string::npos) << refusal();
  served->name = "served";
  served->version = "9.9";
  options.teachers.remote.strict = true;
  EXPECT_NE(refusal().find("version 9.9"), std::string::npos) << refusal();
  options.teachers.remote.strict = false;
  EXPECT_EQ(jobs::distill(options).ending, RunEnding::finished);
  const auto record = nlohmann::json::parse(read_file(folder / "run/provenance/record.json"));
  EXPECT_EQ(record["teachers"][0]["server"]["model"], "served");
  EXPECT_EQ(record["teachers"][0]["server"]["version"], "9.9");
  // Said to be meant.
  served->name = "renamed";
  options.training.max_steps = 5;
  options.run.allow_change = true;
  EXPECT_EQ(jobs::distill(options).ending, RunEnding::finished);
}

// Bug: nobody knows what a run will cost before it has; a dead server's check is to be resumed.
TEST_F(RemoteTeacherTest, IsCheckedAndWritesNothing) {
  serve();
  DistillOptions options = remote("run");
  options.teachers.remote.price = "1,10";
  options.teachers.remote.local = at("teacher");
  const Findings findings = jobs::check(options);
  EXPECT_NE(verdict(findings), Level::refused) << table(findings);
  EXPECT_FALSE(fs::exists(folder / "run"));
  // 4 steps of 4 completions of 6 tokens behind prompts of 4 or so.
  EXPECT_NE(table(findings).find("cost "), std::string::npos) << table(findings);
  EXPECT_NE(table(findings).find("write 16, for 0.000"), std::string::npos) << table(findings);
  options.teachers.remote.budget_tokens = 100;
  try {
    jobs::check(options);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.hint().find("--resume"), std::string::npos) << error.hint();
  }
  options.teachers.remote.budget_tokens = 0;
  options.teachers.remote.local = at("student");
  try {
    jobs::check(options);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("is not the model of"), std::string::npos);
  }
}

// Bug: the key of a server in the run's folder.
TEST_F(RemoteTeacherTest, TheKeyIsInNoFileAndTheAddressInTheRecord) {
  constexpr const char* canary = "sk-canary-of-a-run";
  serve();
  write_file(folder / "key", canary);
  fs::permissions(folder / "key", fs::perms::owner_read | fs::perms::owner_write);
  DistillOptions options = remote("run");
  options.teachers.remote.key_file = at("key");
  jobs::distill(options);
  EXPECT_NE(server->requests().back().head.find(canary), std::string::npos);
  int files = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder / "run")) {
    if (!entry.is_regular_file()) continue;
    ++files;
    EXPECT_EQ(read_file(entry.path()).find(canary), std::string::npos) << entry.path();
  }
  EXPECT_GT(files, 8);
  const auto record = nlohmann::json::parse(read_file(folder / "run/provenance/record.json"));
  EXPECT_EQ(record["teachers"][0]["name"], server->address());
  EXPECT_EQ(record["teachers"][0]["spent"]["replies"], 16);
  EXPECT_EQ(record["counters"]["teacher_calls"], 16);
  EXPECT_EQ(record["teachers"][0]["host"], "127.0.0.1");
}

// Bug: what a judge costs is in no record and under no budget.
TEST_F(RemoteTeacherTest, AJudgeIsPaidForFromItsBudget) {
  LoopbackServer judge([](const ServedRequest&) {
    const nlohmann::json choice = {{"message", {{"content", "4"}}}};
    return ServedReply{
        .body = nlohmann::json{{"choices", {choice}},
                               {"usage", {{"prompt_tokens", 230}, {"completion_tokens", 1}}}}
                    .dump()};
  });
  DistillOptions options = distillation("run");
  options.teachers.teacher = {};
  options.loss.objective = "grpo";
  options.num_generations = 2;
  options.reward.judge = judge.address() + "#judge";
  options.reward.judge_budget_tokens = 1200;
  EXPECT_EQ(jobs::distill(options).ending, RunEnding::stopped);
  auto record = nlohmann::json::parse(read_file(folder / "run/provenance/record.json"));
  const int64_t replies = record["scores"][0]["spent"]["replies"];
  EXPECT_GT(replies, 0);
  EXPECT_EQ(record["scores"][0]["spent"]["input_tokens"], 230 * replies);
  // What the first part has spent counts for the second.
  options.run.resume = true;
  EXPECT_EQ(jobs::distill(options).ending, RunEnding::stopped);
  EXPECT_EQ(std::ssize(judge.requests()), replies);
  options.reward.judge_budget_tokens = 0;
  EXPECT_EQ(jobs::distill(options).ending, RunEnding::finished);
}

TEST_F(RemoteTeacherTest, WhatItCannotDoIsRefusedByName) {
  serve();
  const std::pair<const char*, std::function<void(DistillOptions&)>> cases[] = {
      {"--kd-topk", [](DistillOptions& o) { o.loss.kd_topk = 0; }},
      {"--kd-topk-by", [](DistillOptions& o) { o.loss.kd_topk_by = TopKBy::both; }},
      {"--kd-temperature", [](DistillOptions& o) { o.loss.kd_temperature = 2; }},
      {"--hidden-weight", [](DistillOptions& o) { o.loss.hidden_weight = 1; }},
      {"--teacher-cache",
       [&](DistillOptions& o) {
         o.teachers.cache = at("cache");
         o.lmbda = 0;
       }},
      {"--temperature",
       [](DistillOptions& o) {
         o.loss.objective = "sampled_reverse_kl";
         o.loss.kd_topk = 0;
         o.sampling.temperature = 0.7;
       }},
      {"--cross-tokenizer span",
       [](DistillOptions& o) {
         o.teachers.remote.tokenizer =
             (fs::path(ALAMBIC_SOURCE_DIR) / "tests/golden/tokenizers/gpt2").string();
       }},
      {"--teacher-price", [](DistillOptions& o) { o.teachers.remote.price = "1"; }}};
  for (const auto& [name, change] : cases) {
    DistillOptions options = remote("run");
    change(options);
    try {
      jobs::distill(options);
      ADD_FAILURE() << name;
    } catch (const Error& error) {
      EXPECT_NE((error.what() + error.hint()).find(name), std::string::npos) << error.what();
    }
    EXPECT_FALSE(fs::exists(folder / "run"));
  }
}

}  // namespace
}  // namespace alambic::remote_teacher_test
