// What a run is made of, as its record says it.
#pragma once

#include <array>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "alambic/base/files.h"
#include "alambic/jobs/run_options.h"
#include "alambic/jobs/teacher_options.h"
#include "alambic/model/lora_options.h"
#include "alambic/remote/journal_usage.h"
#include "alambic/teacher/reward_options.h"
#include "alambic/text/data/data_sources.h"

namespace alambic {

struct RunIngredients {
  std::string command;                ///< "distill"
  const Options& options;             ///< of the command
  nlohmann::json hardware;            ///< of all ranks
  std::string student;                ///< folder of the model that is trained
  std::vector<NamedFolder> teachers;  ///< a folder "self" is the student
  bool grades = false;                ///< whether they grade the tokens that are learned
  RewardOptions reward;
  LoraOptions lora;
  std::vector<std::string> data;  ///< as --data has it
  int64_t rows = 0;               ///< of all data
  std::vector<RowShare> shares;   ///< per source, where they are mixed
  std::string held_out;           ///< --valid-data; "" without
  int64_t seed = 0;
  bool on_cpu = true;
  std::string precision;            ///< of the weights in memory
  double parameters = 0;            ///< of the student
  nlohmann::json policy = nullptr;  ///< verdict of the policy; null: none was asked for
  /// What servers have counted for the completions that are learned from, by the teacher's name.
  std::map<std::string, JournalUsage> written = {};
  RunOptions run;
};

/// The record of a run that begins, without counters. What takes reading every byte of models, data
/// and libraries is unknown in it.
nlohmann::json begun_record(const RunIngredients& of);

/// Fields of a record in which digests are unknown at first.
inline constexpr std::array facts_that_are_read = {"student", "teachers",  "scores",
                                                   "data",    "tokenizer", "parents"};

/// Those fields, and `files` of the tool's, each file read once. What cannot be read is unknown,
/// with the reason.
nlohmann::json read_facts(const RunIngredients& of);

/// Tokens that teachers behind an address and a judge have read and written so far, by their
/// journals in the run's folder and for the completions that are learned from (an earlier run's
/// too), and what their servers are; into their facts, and the number of calls into
/// counters.teacher_calls.
void add_spent(const fs::path& run, const RunIngredients& of, nlohmann::json& record);

}  // namespace alambic
