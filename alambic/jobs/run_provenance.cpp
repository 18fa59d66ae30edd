#include "alambic/jobs/run_provenance.h"

#include <cmath>
#include <ctime>

#include "alambic/base/error.h"
#include "alambic/base/file_system.h"
#include "alambic/base/log.h"
#include "alambic/base/sha256.h"
#include "alambic/hub/hub_models.h"
#include "alambic/jobs/known_servers.h"
#include "alambic/jobs/remote_teachers.h"
#include "alambic/options/option_table.h"
#include "alambic/provenance/machine.h"
#include "alambic/provenance/run_record.h"
#include "alambic/remote/journal_usage.h"
#include "alambic/report/log_chain.h"
#include "alambic/report/run_files.h"
#include "alambic/teacher/digest.h"

namespace alambic {
namespace {

using Record = nlohmann::json;

std::string now() {
  const std::time_t time = std::time(nullptr);
  std::tm parts{};
  ::gmtime_r(&time, &parts);
  std::string text(32, '\0');
  text.resize(std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts));
  return text;
}

Record command_facts(const RunIngredients& of) {
  Record config = Record::object();
  for (const OptionEntry& entry : OptionTable(of.options).entries()) {
    if (entry.name == "resume" || entry.name == "overwrite" || entry.name == "allow-change")
      continue;
    config[entry.name] = entry.toml();
  }
  return {{"name", of.command}, {"config", config}};
}

Record teacher_facts(const NamedFolder& teacher) {
  if (is_endpoint(teacher.folder)) return endpoint_facts(teacher);
  Record facts = model_facts(as_hub_name(teacher.folder), teacher.folder);
  facts["tag"] = teacher.name;
  return facts;
}

// The student as it was before the run.
Record self_of(const Record& student, const NamedFolder& teacher) {
  return {{"name", "self"},
          {"tag", teacher.name},
          {"root", student["root"]},
          {"license", student["license"]}};
}

Record data_of(const RunIngredients& of) {
  Record data = Record::array();
  const std::vector<DataSource> sources = parse_data_sources(of.data);
  for (size_t i = 0; i < sources.size(); ++i) {
    const bool apart = of.shares.size() == sources.size();
    const int64_t rows = apart ? of.shares[i].rows : sources.size() == 1 ? of.rows : -1;
    Record facts = data_facts(sources[i].name, rows);
    facts["use"] = "training";
    data.push_back(std::move(facts));
  }
  if (of.held_out.empty()) return data;
  Record facts = data_facts(of.held_out, -1);
  facts["use"] = "validation";
  data.push_back(std::move(facts));
  return data;
}

Record tokenizer_facts(const fs::path& model) {
  const fs::path file = model / "tokenizer.json";
  const std::string chat = is_folder(model) ? template_digest(model) : "none";
  return {{"sha256", is_file(file) ? Record(sha256_file(file))
                                   : unknown_fact("the model has no tokenizer.json")},
          {"chat_template", chat == "none" ? unknown_fact("the model has none") : Record(chat)}};
}

std::vector<fs::path> models_of(const RunIngredients& of) {
  std::vector<fs::path> models = {of.student};
  for (const NamedFolder& teacher : of.teachers) {
    const bool far = is_endpoint(teacher.folder);
    if (teacher.folder != "self" && !far) models.push_back(teacher.folder);
  }
  return models;
}

Record record_of(const RunIngredients& of) {
  Record record = {
      {"format", 1},
      {"state", "started"},
      {"tool", tool_facts()},
      {"command", command_facts(of)},
      {"hardware", of.hardware},
      {"student", model_facts(as_hub_name(of.student), of.student)},
      {"teachers", Record::array()},
      {"data", data_of(of)},
      {"tokenizer", tokenizer_facts(of.student)},
      {"seed", of.seed},
      {"precision", of.precision},
      {"events", Record::array()},
      {"evaluation", unknown_fact("the run has not ended")},
      {"parents", parents_of(models_of(of))},
      {"output", unknown_fact("the run has not ended")},
      {"policy", of.policy.is_null() ? unknown_fact("no policy was asked") : of.policy},
      {"clock", {{"started", now()}}}};
  record["student"]["parameters"] = of.parameters;
  if (is_endpoint(of.judge)) record["judge"] = {{"name", parse_endpoint(of.judge).name()}};
  for (const NamedFolder& teacher : of.teachers) {
    record["teachers"].push_back(teacher.folder == "self" ? self_of(record["student"], teacher)
                                                          : teacher_facts(teacher));
  }
  return record;
}

Record figures_of(const Metrics& metrics) {
  Record figures = Record::object();
  for (const auto& [name, value] : metrics) {
    figures[name] = std::isfinite(value) ? Record(value) : unknown_fact("not finite");
  }
  return figures;
}

Record json_of(const JournalUsage& all) {
  return {{"replies", all.replies},
          {"input_tokens", all.usage.input_tokens},
          {"output_tokens", all.usage.output_tokens}};
}

// What servers have been asked so far, by their journals, and what they are.
void add_servers(const fs::path& run, Record& record) {
  int64_t calls = 0;
  bool far = false;
  for (Record& teacher : record["teachers"]) {
    if (!is_endpoint(teacher["name"].get<std::string>())) continue;
    const std::string tag = teacher["tag"];
    const JournalUsage all =
        journal_usage(run / run_files::remote / (tag.empty() ? "teacher" : tag));
    teacher["spent"] = json_of(all);
    for (const ServerRecord& server : known_servers(run)) {
      if (server.teacher != tag) continue;
      teacher["server"] = {
          {"protocol", server.protocol}, {"model", server.model}, {"version", server.version}};
    }
    calls += all.replies;
    far = true;
  }
  if (far) record["counters"]["teacher_calls"] = calls;
  if (!record.contains("judge")) return;
  record["judge"]["spent"] = json_of(journal_usage(run / run_files::remote / "judge"));
}

}  // namespace

Record hardware_of_ranks(const World& world) {
  Record all = hardware_facts();
  if (world.alone()) return all;
  const std::string own = all["ranks"].front().dump();
  all["ranks"] = Record::array();
  for (const std::string& rank : world.gather(own, "describing the ranks' machines")) {
    all["ranks"].push_back(Record::parse(rank));
  }
  return all;
}

RunProvenance::RunProvenance(const RunFolder& folder, const RunIngredients& of, Recorder* observer)
    : folder_(folder), observer_(observer), parameters_(of.parameters), record_(record_of(of)) {
  if (folder.resumes()) take_over(folder.path());
  write("started");
}

// What the earlier part of a resumed run has recorded and this one cannot know.
void RunProvenance::take_over(const fs::path& folder) {
  try {
    const auto before = read_record(folder);
    if (!before) return;
    record_["events"] = (*before)["events"];
    if (before->at("clock").contains("started")) {
      record_["clock"]["started"] = before->at("clock")["started"];
    }
    if (record_["hardware"] != before->at("hardware")) {
      add_event("other machine", "before", before->at("hardware"));
    }
  } catch (const Error& error) {
    warn("the record of the run's earlier part cannot be used: {}", error.what());
    add_event("record lost", "reason", error.what());
  }
}

void RunProvenance::add_event(const std::string& kind, const std::string& name,
                              const nlohmann::json& value) {
  Record event = {{"kind", kind}};
  event[name] = value;
  record_["events"].push_back(std::move(event));
}

void RunProvenance::write(const std::string& state) {
  const LogCounters log = counters_of(folder_.metrics());
  record_["state"] = state;
  record_["counters"] = {
      {"steps", log.steps},
      {"graded_tokens", log.graded_tokens},
      {"skipped_steps", log.skipped_steps},
      {"generated_tokens", unknown_fact("only their mean length is kept, in metrics.jsonl")},
      {"teacher_calls", unknown_fact("teachers run in the process")},
      {"flop",
       {{"value", 6 * parameters_ * static_cast<double>(log.graded_tokens)},
        {"formula",
         "6 x parameters of the student x graded tokens; generation, prompts and the "
         "teachers are not in it"}}}};
  add_servers(folder_.path(), record_);
  record_["clock"]["updated"] = now();
  record_["clock"]["training_seconds"] = log.seconds;
  record_["clock"]["energy_joules"] = unknown_fact("no counter was read");
  record_["clock"]["log"] = {{"lines", log.head.lines}, {"hash", log.head.hash}};
  write_record(folder_.path(), record_);
}

void RunProvenance::finish(const RunResult& result) {
  record_["evaluation"] = figures_of(result.validation);
  if (!result.collapse.empty()) {
    add_event("collapse", "sign", result.collapse);
  }
  if (result.ending != RunEnding::finished) {
    return write(result.ending == RunEnding::stopped ? "stopped" : "collapsed");
  }
  record_["output"] = {{"folder", "model"}, {"files", file_facts(folder_.model())}};
  write("finished");
  write_record(folder_.model(), record_);
}

void RunProvenance::plan(int64_t steps) {
  if (observer_ != nullptr) observer_->plan(steps);
}

void RunProvenance::begin(std::optional<int64_t> resume_step) {
  if (resume_step) add_event("resume", "after_step", *resume_step);
  if (observer_ != nullptr) observer_->begin(resume_step);
}

void RunProvenance::phase(int64_t done, const std::string& name) {
  if (observer_ != nullptr) observer_->phase(done, name);
}

void RunProvenance::step(const Metrics& row) {
  if (observer_ != nullptr) observer_->step(row);
}

void RunProvenance::sample(const nlohmann::ordered_json& row) {
  if (observer_ != nullptr) observer_->sample(row);
}

void RunProvenance::end() {
  if (observer_ != nullptr) observer_->end();
}

void RunProvenance::check_log(const LogHead& then) {
  if (const auto fault = log_fault(folder_.metrics(), {}, then)) {
    add_event("log changed", "what", fmt::format("line {} {}", fault->line, fault->what));
    warn("{}:{}: this line {}; the record says so", folder_.metrics().string(), fault->line,
         fault->what);
  }
  if (observer_ != nullptr) observer_->check_log(then);
}

void RunProvenance::saved(int64_t step) {
  write("running");
  if (observer_ != nullptr) observer_->saved(step);
}

}  // namespace alambic
