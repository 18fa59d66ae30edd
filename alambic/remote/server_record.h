// What a run keeps of a server that grades for it, to know it again.
#pragma once

#include <nlohmann/json.hpp>

#include <string>
#include <vector>

#include "alambic/remote/grader.h"

namespace alambic {

/// What a probe found and what the server's grades are asked for.
struct ServerRecord {
  std::string teacher;  ///< its name among the run's teachers; "": the only one
  std::string address, protocol, model, version;
  std::string tokenizer;  ///< digest of the one by which the tokens are numbered
  int64_t k = 0;
  double temperature = 1;
  int64_t positions = 0;  ///< 0: not known
  double noise = 0;
  std::vector<float> logp;  ///< of the probe's text; NaN: not known
};

/// Of a grader that has probed its server. `k` and `temperature`: those of the objective.
ServerRecord server_record(const std::string& teacher, const RemoteGrader& grader, int64_t k,
                           double temperature);

nlohmann::ordered_json json_of(const ServerRecord& record);
/// Of a file that errors call `where`. Input errors name the field that is missing or another kind.
ServerRecord server_record_of(const nlohmann::ordered_json& json, const std::string& where);

/// How a server differs from what it was, in words: `other` where it is another teacher, `perhaps`
/// where it need not be.
struct ServerChanges {
  std::vector<std::string> other, perhaps;
};
/// Grades of the probe's text that differ by more than `noise` nats are another model's.
ServerChanges changes_of(const ServerRecord& before, const ServerRecord& now, double noise);

}  // namespace alambic
