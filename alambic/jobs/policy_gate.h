#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "alambic/jobs/distill_options.h"
#include "alambic/jobs/serve_options.h"
#include "alambic/provenance/policy/rules.h"

namespace alambic {

/// What a run is about to use and to make.
struct PolicyCase {
  std::string student;
  std::vector<NamedFolder> teachers;  ///< a folder "self" is the student
  std::vector<std::string> data;      ///< as --data has it
  std::string held_out;               ///< "" without
  std::string judge;                  ///< "" without
  Teaching form = Teaching::logits;   ///< of the teachers
  std::string out;
  std::string device = "auto";
};

/// The policy's verdict for the run's record. Says its warnings. Reads licenses and records, no
/// weights, and asks no network. Refused (exit 4) where a rule is not met.
nlohmann::json ask_policy(const PolicyOptions& options, const PolicyCase& about);
/// The same of a distillation.
nlohmann::json ask_policy(const DistillOptions& options);
/// Refused (exit 4) where a rule is not met by a model that is about to be served, by an adapter
/// of it, or by the machine.
void ask_policy(const ServeOptions& options);

}  // namespace alambic
