#include "alambic/jobs/run_provenance.h"

#include <cmath>
#include <ctime>
#include <utility>

#include "alambic/base/error.h"
#include "alambic/base/file_system.h"
#include "alambic/base/log.h"
#include "alambic/base/names.h"
#include "alambic/jobs/resumed_inputs.h"
#include "alambic/jobs/run_duties.h"
#include "alambic/provenance/certificates.h"
#include "alambic/provenance/machine.h"
#include "alambic/provenance/run_record.h"
#include "alambic/report/log_chain.h"
#include "alambic/report/run_files.h"

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

Record figures_of(const Metrics& metrics) {
  Record figures = Record::object();
  for (const auto& [name, value] : metrics) {
    figures[name] = std::isfinite(value) ? Record(value) : unknown_fact("not finite");
  }
  return figures;
}

// How often the counters of energy and the facts that are read beside the run are looked at.
constexpr std::chrono::seconds between_looks{10};

}  // namespace

Record hardware_of_ranks(const RankRoles& roles) {
  const World& world = *roles.all;
  Record all = hardware_facts();
  if (world.alone()) return all;
  if (roles.apart()) all["ranks"].front()["role"] = roles.name();
  const std::string own = all["ranks"].front().dump();
  all["ranks"] = Record::array();
  for (const std::string& rank : world.gather(own, "describing the ranks' machines")) {
    all["ranks"].push_back(Record::parse(rank));
  }
  return all;
}

RunProvenance::RunProvenance(const RunFolder& folder, const RunIngredients& of, Recorder* observer)
    : folder_(folder), of_(of), observer_(observer), record_(begun_record(of)) {
  for (const std::string& key : of.run.parent_keys) read_public_key(key);
  for (const std::string& root : of.run.parent_trust_roots) read_certificates(root);
  record_["clock"] = {{"started", now()}};
  log_ = counters_of(folder.metrics());
  if (folder.resumes()) take_over(folder.path());
  write("started");
  read_facts_ = std::async(std::launch::async, [this] { return read_facts(of_); });
}

// What the earlier part of a resumed run has recorded and this one cannot know.
void RunProvenance::take_over(const fs::path& folder) {
  try {
    const auto before = read_record(folder);
    if (!before) return;
    record_["events"] = (*before)["events"];
    before_ = *before;
    // Digests that a run which is killed before it has read its files again must not forget.
    for (const char* facts : facts_that_are_read) record_[facts] = before_[facts];
    const Record& clock = before->at("clock");
    if (clock.contains("started")) record_["clock"]["started"] = clock["started"];
    energy_before_ = clock.value("energy", Record());
    if (record_["hardware"] != before->at("hardware")) {
      add_event("other machine", "before", before->at("hardware"));
    }
    if (before->at("tool").value("commit", Record()) != record_["tool"]["commit"] ||
        before->at("tool")["version"] != record_["tool"]["version"]) {
      add_event("other program", "before",
                {{"version", before->at("tool")["version"]},
                 {"commit", before->at("tool").value("commit", Record())}});
    }
  } catch (const Error& error) {
    warn("the record of the run's earlier part cannot be used: {}", error.what());
    add_event("record lost", "reason", error.what());
  }
}

// What is read beside the run, once it is there.
void RunProvenance::take_read_facts(bool wait) {
  if (!read_facts_.valid()) return;
  if (!wait && read_facts_.wait_for(std::chrono::seconds(0)) != std::future_status::ready) return;
  try {
    Record facts = read_facts_.get();
    record_["tool"]["files"] = facts["files"];
    facts.erase("files");
    record_.update(facts);
    note_other_inputs();
  } catch (const std::exception& error) {  // a run does not end for it
    warn("the record lacks digests of models and data: {}", error.what());
    add_event("facts lost", "reason", error.what());
  }
}

// Of data it was said before the first step; of models it is known only now.
void RunProvenance::note_other_inputs() {
  if (!before_.is_object()) return;
  std::vector<std::string> others = other_inputs(std::exchange(before_, nullptr), record_);
  if (others.empty()) return;
  add_event("other inputs", "what", others);
  std::erase_if(others, [](const std::string& input) {
    return input.starts_with("--data ") || input.starts_with("--valid-data ");
  });
  if (others.empty()) return;
  warn("files are not what they were when the run began: {}; the record says so", join(others));
}

void RunProvenance::add_event(const std::string& kind, const std::string& name,
                              const nlohmann::json& value) {
  Record event = {{"kind", kind}};
  event[name] = value;
  record_["events"].push_back(std::move(event));
}

nlohmann::json RunProvenance::counters() const {
  const auto learned = static_cast<double>(log_.learned_tokens);
  const auto generated = static_cast<double>(log_.generated_tokens);
  return {{"steps", log_.steps},
          {"learned_tokens", log_.learned_tokens},
          {"graded_tokens", of_.grades ? log_.learned_tokens : 0},
          {"generated_tokens", log_.generated_tokens},
          {"skipped_steps", log_.skipped_steps},
          {"flop",
           {{"value", of_.parameters * (6 * learned + 2 * generated)},
            {"formula",
             "parameters of the student x (6 x learned tokens + 2 x generated tokens); prompts, "
             "teachers, judges and validation are not in it"}}}};
}

void RunProvenance::write(const std::string& state) {
  log_.head = is_file(folder_.metrics()) ? log_head_of(folder_.metrics()) : LogHead();
  record_["state"] = state;
  record_["counters"] = counters();
  add_spent(folder_.path(), of_, record_);
  Record& clock = record_["clock"];
  clock["updated"] = now();
  clock["training_seconds"] = log_.seconds;
  clock["energy"] = energy_.read(energy_before_);
  clock["energy_joules"] = total_joules(clock["energy"]);
  clock["log"] = {{"lines", log_.head.lines}, {"hash", log_.head.hash}};
  write_record(folder_.path(), record_);
}

void RunProvenance::finish(const RunResult& result) {
  take_read_facts(/*wait=*/true);
  log_ = counters_of(folder_.metrics());  // of the file itself
  record_["evaluation"] = figures_of(result.validation);
  if (!result.collapse.empty()) {
    add_event("collapse", "sign", result.collapse);
  }
  if (result.ending != RunEnding::finished) {
    return write(result.ending == RunEnding::stopped ? "stopped" : "collapsed");
  }
  write_duties(folder_.model(), of_);
  record_["output"] = {{"folder", "model"}, {"files", file_facts(folder_.model())}};
  const fs::path adapter = folder_.path() / run_files::adapter;
  if (is_folder(adapter)) record_["output"]["adapter"] = file_facts(adapter);
  write("finished");
  write_record(folder_.model(), record_);
}

void RunProvenance::plan(int64_t steps) {
  if (observer_ != nullptr) observer_->plan(steps);
}

void RunProvenance::begin(std::optional<int64_t> resume_step) {
  log_ = counters_of(folder_.metrics());
  if (resume_step) add_event("resume", "after_step", *resume_step);
  if (observer_ != nullptr) observer_->begin(resume_step);
}

void RunProvenance::phase(int64_t done, const std::string& name) {
  if (observer_ != nullptr) observer_->phase(done, name);
}

void RunProvenance::step(const Metrics& row) {
  if (Clock::now() - looked_at_ > between_looks) {
    looked_at_ = Clock::now();
    energy_.update();
    take_read_facts(/*wait=*/false);
  }
  MetricsRow written;
  for (const auto& [name, value] : row) written.add(name, value);
  count_row(log_, written);
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
  take_read_facts(/*wait=*/false);
  write("running");
  if (observer_ != nullptr) observer_->saved(step);
}

}  // namespace alambic
