// A run's folder with its model, log and record, made by hand.
#pragma once

#include "alambic/provenance/machine.h"
#include "alambic/provenance/parents.h"
#include "alambic/provenance/run_record.h"
#include "alambic/report/metrics.h"
#include "tests/provenance/signed_fixture.h"

namespace alambic {

struct RecordFixture : testing::Test {
  TemporaryFolder scratch;
  fs::path run = scratch.path() / "run";
  fs::path model = run / "model";

  void SetUp() override {
    fs::create_directories(model);
    write_file(run / "config.toml", "# alambic train\n");
    write_file(model / "config.json", "{}\n");
    write_file(model / "model.safetensors", std::string(100, 'w'));
    write_file(scratch.path() / "rows.jsonl", "{}\n{}\n");
    MetricsWriter writer(run / "metrics.jsonl");
    for (int64_t step = 1; step <= 4; ++step) {
      MetricsRow row;
      row.add("step", step);
      row.add("loss", 1.0 / static_cast<double>(step));
      row.add("grad_norm", 1.0);
      row.add("tokens", int64_t{10});
      writer.append(row);
    }
    write();
  }

  nlohmann::json record() const {
    const LogCounters log = counters_of(run / "metrics.jsonl");
    nlohmann::json record = {
        {"format", 1},
        {"state", "finished"},
        {"tool", {{"name", "alambic"}, {"version", "0"}}},
        {"command", {{"name", "train"}, {"config", nlohmann::json::object()}}},
        {"hardware", hardware_facts()},
        {"student", model_facts("m", model)},
        {"teachers", nlohmann::json::array()},
        {"scores", nlohmann::json::array()},
        {"determinism", nlohmann::json::object()},
        {"tokenizer", nlohmann::json::object()},
        {"seed", 1},
        {"precision", "Float"},
        {"events", nlohmann::json::array()},
        {"evaluation", nlohmann::json::object()},
        {"parents", nlohmann::json::array()},
        {"policy", unknown_fact("no policy was asked")},
        {"output", {{"folder", "model"}, {"files", file_facts(model)}}},
        {"counters",
         {{"steps", log.steps},
          {"learned_tokens", log.learned_tokens},
          {"graded_tokens", 0},
          {"generated_tokens", log.generated_tokens},
          {"skipped_steps", log.skipped_steps}}},
        {"clock", {{"log", {{"lines", log.head.lines}, {"hash", log.head.hash}}}}}};
    record["data"] = nlohmann::json::array();
    record["data"].push_back(data_facts((scratch.path() / "rows.jsonl").string(), 2));
    return record;
  }
  void write() const {
    const nlohmann::json made = record();
    write_record(run, made);
    write_record(model, made);
  }
  std::string faults(const fs::path& folder) const {
    std::string text;
    for (const FolderFault& fault : record_faults(folder, *read_record(folder))) {
      text += kind_name(fault.kind) + ": " + fault.where + ": " + fault.what + "\n";
    }
    return text;
  }
};

}  // namespace alambic
