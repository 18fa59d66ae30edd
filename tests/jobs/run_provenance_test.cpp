// Every run leaves a record that is true of its files.
#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "alambic/base/file_system.h"
#include "alambic/jobs/distill.h"
#include "alambic/jobs/run_provenance.h"
#include "alambic/jobs/train.h"
#include "alambic/provenance/canonical_json.h"
#include "alambic/provenance/record_lines.h"
#include "alambic/provenance/run_record.h"
#include "tests/jobs/run_fixture.h"

namespace alambic::run_provenance_test {
namespace {

struct RunProvenanceTest : RunFixture {
  nlohmann::json record_of(const std::string& out) const { return *read_record(folder / out); }
  std::string faults_of(const std::string& out) const {
    std::string text;
    for (const FolderFault& fault : record_faults(folder / out, record_of(out))) {
      text += fault.where + ": " + fault.what + "\n";
    }
    return text;
  }
};

struct RunProvenanceSlow : RunProvenanceTest {};

TEST_F(RunProvenanceTest, TellsWhatMadeTheModel) {
  jobs::distill(distillation("run"));
  EXPECT_EQ(faults_of("run"), "");
  EXPECT_EQ(faults_of("run/model"), "");
  EXPECT_EQ(read_file(folder / "run" / record_name), read_file(folder / "run/model" / record_name));
  const nlohmann::json record = record_of("run");
  EXPECT_EQ(record["state"], "finished");
  EXPECT_EQ(record["counters"]["steps"], 4);
  EXPECT_EQ(record["data"][0]["rows"], 8);
  EXPECT_EQ(record["teachers"].size(), 1u);
  EXPECT_EQ(record["student"]["root"], model_facts("s", folder / "student")["root"]);
  EXPECT_EQ(record["command"]["config"]["max-steps"], "4");
  EXPECT_EQ(record["clock"]["log"]["lines"], 4);
  EXPECT_GT(record["counters"]["generated_tokens"], 0);
  EXPECT_EQ(record["counters"]["graded_tokens"], record["counters"]["learned_tokens"]);
  EXPECT_GT(record["tool"]["files"].size(), 0u);
  EXPECT_EQ(record["data"][0]["order_seed"], 3);
  EXPECT_GT(record_lines(record).size(), 5u);
}

// docs/run_record.schema.json, where the interpreter that ALAMBIC_ORACLE names has jsonschema.
TEST_F(RunProvenanceTest, IsThatOfItsSchema) {
  const char* named = std::getenv("ALAMBIC_ORACLE");
  const std::string python = named == nullptr ? "python3" : named;
  if (std::system((python + " -c 'import jsonschema' 2> /dev/null").c_str()) != 0) {
    GTEST_SKIP() << python << " has no jsonschema; ALAMBIC_ORACLE names one that has";
  }
  jobs::distill(distillation("distilled"));
  jobs::train(training("trained"));
  for (const std::string out : {"distilled", "trained"}) {
    const std::string check = fmt::format(
        "{} -c 'import json, sys; from jsonschema import Draft202012Validator as V; "
        "V(json.load(open(sys.argv[1]))).validate(json.load(open(sys.argv[2])))' "
        "{}/docs/run_record.schema.json {}",
        python, ALAMBIC_SOURCE_DIR, (folder / out / record_name).string());
    EXPECT_EQ(std::system(check.c_str()), 0) << read_file(folder / out / record_name);
  }
}

// Prevents: a clock, an address or a draw in what should be the same twice.
TEST_F(RunProvenanceTest, IsTheSameTwiceButForTheClock) {
  jobs::distill(distillation("run"));
  nlohmann::json first = record_of("run");
  fs::remove_all(folder / "run");  // --overwrite would stand in the card
  jobs::distill(distillation("run"));
  nlohmann::json second = record_of("run");
  first.erase("clock");
  second.erase("clock");
  EXPECT_EQ(canonical_json(first), canonical_json(second));
}

// Three generations, of which the first two are signed.
TEST_F(RunProvenanceTest, TakesTheRecordOfItsStudentAsAVerifiedParent) {
  const KeyHandle key = new_key(Curve::p256);
  write_key_pair(folder / "key", key);
  TrainOptions options = training("first");
  options.trainable.lora.rank = 2;
  jobs::train(options);
  EXPECT_EQ(record_of("first")["student"]["adapter"]["rank"], 2);
  EXPECT_GT(record_of("first")["output"]["adapter"].size(), 0u);
  sign_folder(folder / "first/model", {.key = key}, {});
  options = training("second");
  options.model = at("first/model");
  options.run.parent_keys = {at("key.pub")};
  jobs::train(options);
  sign_folder(folder / "second/model", {.key = key}, {});
  options = training("third");
  options.model = at("second/model");
  options.run.parent_keys = {at("key.pub")};
  jobs::train(options);
  const nlohmann::json record = record_of("third");
  ASSERT_EQ(record["parents"].size(), 1u);
  EXPECT_EQ(record["parents"][0]["verified"], true) << record["parents"].dump();
  ASSERT_EQ(record["parents"][0]["parents"].size(), 1u);
  EXPECT_EQ(record["parents"][0]["parents"][0]["verified"], true);
  EXPECT_EQ(record["parents"][0]["parents"][0]["parents"].size(), 0u);
  EXPECT_EQ(record["student"]["license"]["told_by"], "record");
  options.run.parent_keys.clear();
  options.run.overwrite = true;
  jobs::train(options);
  EXPECT_EQ(record_of("third")["parents"][0]["verified"], false);
}

// Bug: the judge, whose taste the student learns, stood in no record.
TEST_F(RunProvenanceTest, NamesTheJudge) {
  DistillOptions options = distillation("run");
  options.teachers.teacher.clear();
  options.loss.objective = "grpo";
  options.num_generations = 2;
  options.reward.judge = at("teacher");
  options.training.max_steps = 1;
  jobs::distill(options);
  const nlohmann::json record = record_of("run");
  ASSERT_EQ(record["scores"].size(), 1u);
  EXPECT_EQ(record["scores"][0]["kind"], "judge");
  EXPECT_EQ(record["scores"][0]["root"], model_facts("t", folder / "teacher")["root"]);
}

// What licenses ask of those who pass the student on lies in its folder.
TEST_F(RunProvenanceTest, WritesItsDutiesDown) {
  write_file(folder / "teacher/LICENSE", "Gemma Terms of Use");
  write_file(folder / "teacher/NOTICE", "Gemma is provided under …");
  DistillOptions options = distillation("run");
  options.policy = {.attested_by = "me", .attest = {"gemma=passed on"}};
  jobs::distill(options);
  const fs::path model = folder / "run/model";
  EXPECT_NE(read_file(model / "NOTICE").find("use restrictions of 3.2"), std::string::npos);
  EXPECT_NE(read_file(model / "README.md").find("use restrictions of 3.2"), std::string::npos);
  EXPECT_EQ(read_file(model / "provenance/licenses/teacher/LICENSE"), "Gemma Terms of Use");
  EXPECT_EQ(faults_of("run/model"), "");
  DistillOptions second = distillation("second");
  second.policy = options.policy;
  second.teachers.teacher = {model.string()};
  jobs::distill(second);
  EXPECT_TRUE(is_file(folder / "second/model/provenance/licenses/teacher/NOTICE"))
      << "the teacher's teacher's";
}

struct StopAfter : Recorder {
  int64_t last;
  explicit StopAfter(int64_t last) : last(last) {}
  void begin(std::optional<int64_t>) override {}
  void phase(int64_t, const std::string&) override {}
  void sample(const nlohmann::ordered_json&) override {}
  void step(const Metrics& row) override {
    if (row.front().second > static_cast<double>(last)) throw std::runtime_error("stop");
  }
  void end() override {}
};

TEST_F(RunProvenanceTest, GoesOnInAResumedRun) {
  TrainOptions options = training("run");
  options.training.save_every = 1;
  StopAfter stop(2);
  EXPECT_THROW(jobs::train(options, &stop), std::runtime_error);
  EXPECT_EQ(record_of("run")["state"], "running");
  EXPECT_EQ(record_of("run")["counters"]["steps"], 2);
  options.run.resume = true;
  jobs::train(options);
  const nlohmann::json record = record_of("run");
  EXPECT_EQ(faults_of("run"), "");
  ASSERT_EQ(record["events"].size(), 1u) << record["events"].dump();
  EXPECT_EQ(record["events"][0]["kind"], "resume");
  EXPECT_EQ(record["events"][0]["after_step"], 2);
}

// Prevents: a resumed run that builds on figures which somebody has edited, and hides it.
TEST_F(RunProvenanceTest, SaysWhereTheLogWasChangedBeforeItGoesOn) {
  TrainOptions options = training("run");
  options.training.save_every = 1;
  StopAfter stop(3);
  EXPECT_THROW(jobs::train(options, &stop), std::runtime_error);
  std::string text = read_file(folder / "run/metrics.jsonl");
  text.replace(text.find("\"loss\":"), 8, "\"loss\":9");
  write_file(folder / "run/metrics.jsonl", text);
  options.run.resume = true;
  jobs::train(options);
  EXPECT_NE(record_of("run")["events"].dump().find("log changed"), std::string::npos);
  EXPECT_NE(faults_of("run").find("metrics.jsonl:1"), std::string::npos) << faults_of("run");
}

// Prevents: a record that costs more the longer the log is: ten thousand steps with a checkpoint
// after every hundred, of a twentieth of a second each, are 500 s, of which a hundredth is 5 s.
TEST_F(RunProvenanceSlow, CostsLessThanAHundredthOfARun) {
  const TrainOptions options = training("run");
  const RunFolder run("train", options, options.run);
  const RunIngredients of{.command = "train",
                          .options = options,
                          .hardware = hardware_of_ranks({}),
                          .student = options.model,
                          .data = options.data,
                          .run = options.run};
  const auto begin = std::chrono::steady_clock::now();
  RunProvenance provenance(run, of, nullptr);
  double spent = 0;
  MetricsWriter writer(run.metrics());
  const auto timed = [&](const auto& work) {
    const auto start = std::chrono::steady_clock::now();
    work();
    spent += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  timed([&] { provenance.begin({}); });
  for (int64_t step = 1; step <= 10'000; ++step) {
    MetricsRow row;
    Metrics figures;
    for (int i = 0; i < 20; ++i) {
      figures.emplace_back(i == 0 ? "step" : "figure_" + std::to_string(i), step * 1.000001);
      row.add(figures.back().first, figures.back().second);
    }
    writer.append(row);
    timed([&] { provenance.step(figures); });
    if (step % 100 == 0) timed([&] { provenance.saved(step); });
  }
  EXPECT_LT(spent, 5);
  std::printf("%.3f s of the record in 10,000 steps with 100 checkpoints, %.1f s with the log\n",
              spent,
              std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
}

}  // namespace
}  // namespace alambic::run_provenance_test
