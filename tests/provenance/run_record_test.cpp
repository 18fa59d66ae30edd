#include "alambic/provenance/run_record.h"

#include "alambic/base/sha256.h"
#include "alambic/provenance/canonical_json.h"
#include "alambic/provenance/record_lines.h"
#include "tests/provenance/record_fixture.h"

namespace alambic::run_record_test {
namespace {

struct RunRecord : RecordFixture {
  void expect_fault(const fs::path& folder, const std::string& words) const {
    const std::string found = faults(folder);
    EXPECT_NE(found.find(words), std::string::npos) << words << "\n" << found;
  }
};

TEST_F(RunRecord, HoldsOfTheRunAndOfItsModel) {
  EXPECT_EQ(faults(run), "");
  EXPECT_EQ(faults(model), "");
}

TEST_F(RunRecord, FiguresAreThoseOfTheFiles) {
  const nlohmann::json made = *read_record(run);
  EXPECT_EQ(made["counters"]["steps"], 4);
  EXPECT_EQ(made["counters"]["learned_tokens"], 40);
  EXPECT_EQ(made["data"][0]["sha256"], sha256_file(scratch.path() / "rows.jsonl"));
  EXPECT_EQ(made["output"]["files"].size(), 2u);
  EXPECT_EQ(made["output"]["files"][1]["sha256"], sha256(std::string(100, 'w')));
}

TEST_F(RunRecord, FindsChangedFilesOfTheModel) {
  write_file(model / "model.safetensors", std::string(100, 'v'));
  expect_fault(run, "altered: model/model.safetensors");
  expect_fault(model, "altered: model.safetensors");
  fs::remove(model / "model.safetensors");
  write_file(model / "other", "");
  expect_fault(model, "missing: model.safetensors");
  expect_fault(model, "added: other");
}

TEST_F(RunRecord, FindsAChangedFigureByItsLine) {
  std::string text = read_file(run / "metrics.jsonl");
  text.replace(text.find("\"loss\":0.5"), 10, "\"loss\":0.4");
  write_file(run / "metrics.jsonl", text);
  expect_fault(run, "chain: metrics.jsonl:2: was altered");
  fs::remove(run / "metrics.jsonl");
  expect_fault(run, "missing: metrics.jsonl");
}

// Bug: a resumed run went on from an edited last line, and the chain held from there.
TEST_F(RunRecord, FindsALogThatWasChangedBeforeTheRunWentOn) {
  nlohmann::json changed = record();
  nlohmann::json event = {{"kind", "log changed"}};
  event["what"] = "line 1 was altered";
  changed["events"].push_back(event);
  write_record(run, changed);
  expect_fault(run, "chain: metrics.jsonl: was changed before the run went on: line 1");
}

TEST_F(RunRecord, FindsChangedCounters) {
  for (const char* name : {"steps", "learned_tokens", "generated_tokens", "skipped_steps"}) {
    nlohmann::json changed = record();
    changed["counters"][name] = 5;
    write_record(run, changed);
    expect_fault(run, "the record says 5");
  }
}

// Prevents: a field that is taken away and that nobody misses.
TEST_F(RunRecord, MissesEveryField) {
  const nlohmann::json whole = record();
  for (auto field = whole.begin(); field != whole.end(); ++field) {
    nlohmann::json less = whole;
    less.erase(field.key());
    write_record(run, less);
    try {
      read_record(run);
      ADD_FAILURE() << field.key();
    } catch (const Error& error) {
      EXPECT_EQ(error.exit(), Exit::input);
      EXPECT_NE(std::string(error.what()).find(field.key()), std::string::npos) << error.what();
    }
  }
}

TEST_F(RunRecord, RefusesWhatIsNoRecord) {
  const std::string good = canonical_json(record()) + "\n";
  for (const std::string& bad : {std::string(), std::string("[]"), std::string("{"), " " + good,
                                 std::string(good).insert(1, "\"seed\":1,"),
                                 good.substr(0, good.size() - 1), good.substr(0, 200)}) {
    write_file(run / record_name, bad);
    EXPECT_THROW(read_record(run), Error) << bad.substr(0, 40);
  }
  nlohmann::json wrong = record();
  wrong["teachers"] = nlohmann::json::object();
  write_record(run, wrong);
  EXPECT_THROW(read_record(run), Error);
  wrong = record();
  wrong["output"]["files"] = {1, 2};
  write_record(run, wrong);
  EXPECT_THROW(record_faults(run, *read_record(run)), Error);
  wrong = record();
  wrong["clock"] = nlohmann::json::object();
  write_record(run, wrong);
  EXPECT_THROW(record_faults(run, *read_record(run)), Error);
  wrong["student"] = nlohmann::json::object();
  EXPECT_THROW(record_lines(wrong), Error);
}

// Bug: the files of an adapter that a run has trained could be swapped.
TEST_F(RunRecord, FindsChangedFilesOfTheAdapter) {
  fs::create_directories(run / "adapter");
  write_file(run / "adapter/weights", "1");
  nlohmann::json with = record();
  with["output"]["adapter"] = file_facts(run / "adapter");
  write_record(run, with);
  EXPECT_EQ(faults(run), "");
  write_file(run / "adapter/weights", "2");
  expect_fault(run, "altered: adapter/weights");
}

TEST_F(RunRecord, FitsOnAScreen) {
  std::string text;
  for (const auto& [name, line] : record_lines(record())) text += name + " " + line + "\n";
  EXPECT_NE(text.find("student m, license unknown (record), root "), std::string::npos) << text;
  EXPECT_NE(text.find("(self-reported)"), std::string::npos) << text;
  EXPECT_NE(text.find("unknown "), std::string::npos) << text;
}

}  // namespace
}  // namespace alambic::run_record_test
