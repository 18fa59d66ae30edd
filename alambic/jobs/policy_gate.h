#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "alambic/jobs/teacher_options.h"
#include "alambic/provenance/policy/policy_options.h"

namespace alambic {

/// What a run is about to use and to make.
struct PolicyCase {
  std::string student;
  std::vector<NamedFolder> teachers;  ///< a folder "self" is the student
  std::vector<std::string> data;      ///< as --data has it
  std::string held_out;               ///< "" without
  std::string out;
  DeviceChoice device = DeviceChoice::automatic;
};

/// The policy's verdict for the run's record. Says its warnings. Reads licenses and records, no
/// weights, and asks no network. Refused (exit 4) where a rule is not met.
nlohmann::json ask_policy(const PolicyOptions& options, const PolicyCase& about);

}  // namespace alambic
