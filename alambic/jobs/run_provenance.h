// The record of a run (docs/provenance.md), kept up to date while the run goes on.
#pragma once

#include <chrono>
#include <future>
#include <nlohmann/json.hpp>
#include <string>

#include "alambic/jobs/rank_roles.h"
#include "alambic/jobs/run_facts.h"
#include "alambic/jobs/run_folder.h"
#include "alambic/jobs/run_result.h"
#include "alambic/provenance/energy.h"
#include "alambic/provenance/run_record.h"
#include "alambic/train/recorder.h"

namespace alambic {

/// What every rank says of its machine, by rank, and its role where they have several; all ranks
/// ask together.
nlohmann::json hardware_of_ranks(const RankRoles& roles);

/// Writes provenance/record.json of a run's folder when it is made, at every checkpoint and at the
/// end, and that of the model at the end. Between the run and `observer`, which is told all.
class RunProvenance : public Recorder {
 public:
  /// Begins to read every byte of models, data and libraries for their digests, beside the run,
  /// whose steps do not wait for it. `observer` may be null; the options of `of` must outlive this.
  /// Input errors: keys and certificates of parents that cannot be read.
  RunProvenance(const RunFolder& folder, const RunIngredients& of, Recorder* observer);

  void plan(int64_t steps) override;
  void begin(std::optional<int64_t> resume_step) override;
  void phase(int64_t done, const std::string& name) override;
  void step(const Metrics& row) override;
  void sample(const nlohmann::ordered_json& row) override;
  void end() override;
  void check_log(const LogHead& then) override;
  void saved(int64_t step) override;

  /// The run's end; where it is finished, after its model has been written.
  void finish(const RunResult& result);

 private:
  using Clock = std::chrono::steady_clock;

  void take_over(const fs::path& folder);
  void take_read_facts(bool wait);
  void note_other_inputs();
  nlohmann::json counters() const;
  void write(const std::string& state);
  void add_event(const std::string& kind, const std::string& name, const nlohmann::json& value);

  const RunFolder& folder_;
  const RunIngredients of_;
  Recorder* observer_;
  nlohmann::json record_;
  nlohmann::json before_;  // of the run's earlier part, until this one has read its files
  LogCounters log_;
  EnergyMeter energy_;
  nlohmann::json energy_before_;
  Clock::time_point looked_at_ = Clock::now();
  std::future<nlohmann::json> read_facts_;  // its thread ends before what it reads from
};

}  // namespace alambic
