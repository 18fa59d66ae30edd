// The record of a run (docs/provenance.md), kept up to date while the run goes on.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "alambic/dist/world.h"
#include "alambic/jobs/run_folder.h"
#include "alambic/jobs/run_result.h"
#include "alambic/jobs/teacher_options.h"
#include "alambic/text/data/data_sources.h"
#include "alambic/train/recorder.h"

namespace alambic {

/// What a run is made of.
struct RunIngredients {
  std::string command;                ///< "distill"
  const Options& options;             ///< of the command
  nlohmann::json hardware;            ///< of all ranks
  std::string student;                ///< folder of the model that is trained
  std::vector<NamedFolder> teachers;  ///< a folder "self" is the student
  std::vector<std::string> data;      ///< as --data has it
  int64_t rows = 0;                   ///< of all data
  std::vector<RowShare> shares;       ///< per source, where they are mixed
  std::string held_out;               ///< --valid-data; "" without
  std::string judge;                  ///< --judge; "" without
  int64_t seed = 0;
  std::string precision;            ///< of the weights in memory
  double parameters = 0;            ///< of the student
  nlohmann::json policy = nullptr;  ///< verdict of the policy; null: none was asked for
};

/// What every rank says of its machine, by rank; all ranks ask together.
nlohmann::json hardware_of_ranks(const World& world);

/// Writes provenance/record.json of a run's folder when it is made, at every checkpoint and at the
/// end, and that of the model at the end. Between the run and `observer`, which is told all.
class RunProvenance : public Recorder {
 public:
  /// Reads every byte of the models and the data for their digests. `observer` may be null.
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
  void take_over(const fs::path& folder);
  void write(const std::string& state);
  void add_event(const std::string& kind, const std::string& name, const nlohmann::json& value);
  const RunFolder& folder_;
  Recorder* observer_;
  double parameters_;
  nlohmann::json record_;
};

}  // namespace alambic
