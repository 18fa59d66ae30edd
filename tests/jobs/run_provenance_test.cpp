// Every run leaves a record that is true of its files.
#include <cstdlib>

#include "alambic/jobs/distill.h"
#include "alambic/jobs/train.h"
#include "alambic/provenance/canonical_json.h"
#include "alambic/provenance/record_lines.h"
#include "alambic/provenance/run_record.h"
#include "tests/jobs/run_fixture.h"

namespace alambic {
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
  jobs::train(training("run"));
  nlohmann::json first = record_of("run");
  fs::remove_all(folder / "run");  // --overwrite would stand in the card
  jobs::train(training("run"));
  nlohmann::json second = record_of("run");
  first.erase("clock");
  second.erase("clock");
  EXPECT_EQ(canonical_json(first), canonical_json(second));
}

TEST_F(RunProvenanceTest, TakesTheRecordOfItsStudentAsAParent) {
  jobs::train(training("first"));
  TrainOptions options = training("second");
  options.model = at("first/model");
  jobs::train(options);
  TrainOptions third = training("third");
  third.model = at("second/model");
  jobs::train(third);
  const nlohmann::json record = record_of("third");
  ASSERT_EQ(record["parents"].size(), 1u);
  ASSERT_EQ(record["parents"][0]["parents"].size(), 1u);
  EXPECT_EQ(record["parents"][0]["parents"][0]["parents"].size(), 0u);
  EXPECT_EQ(record["student"]["license"]["told_by"], "record");
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

}  // namespace
}  // namespace alambic
