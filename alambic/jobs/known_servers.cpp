#include "alambic/jobs/known_servers.h"

#include <algorithm>

#include "alambic/base/error.h"
#include "alambic/base/file_system.h"
#include "alambic/base/log.h"
#include "alambic/base/names.h"
#include "alambic/report/run_files.h"

namespace alambic {
namespace {

using Json = nlohmann::ordered_json;

void compare(const ServerRecord& before, const ServerRecord& now, const DistillOptions& options) {
  ServerChanges changes = changes_of(before, now, options.teachers.remote.noise);
  if (options.teachers.remote.strict) {
    changes.other.insert(changes.other.end(), changes.perhaps.begin(), changes.perhaps.end());
    changes.perhaps.clear();
  }
  if (!changes.perhaps.empty()) {
    warn("{} is perhaps not what it was when the run began: {}", now.address,
         join(changes.perhaps, "; "));
  }
  if (changes.other.empty()) return;
  if (!options.run.allow_change) {
    throw input_error("{} is not the teacher that the run began with: {}", now.address,
                      join(changes.other, "; "))
        .with_hint("--allow-change resumes with the teacher as it is now");
  }
  warn("{} is not the teacher that the run began with: {}", now.address, join(changes.other, "; "));
}

}  // namespace

std::vector<ServerRecord> known_servers(const fs::path& run) {
  const fs::path file = run / run_files::servers;
  if (!is_file(file)) return {};
  const Json json = Json::parse(read_file(file), nullptr, false);
  if (!json.is_object() || !json.contains("servers")) {
    throw input_error("{}: expected what a run keeps of its servers", file.string());
  }
  std::vector<ServerRecord> records;
  const Json& servers = json["servers"];
  for (const Json& server : servers) {
    records.push_back(server_record_of(server, file.string()));
  }
  return records;
}

void keep_known_servers(const RunFolder& folder, const std::vector<ServerRecord>& servers,
                        const DistillOptions& options) {
  if (servers.empty()) return;
  const fs::path file = folder.path() / run_files::servers;
  if (folder.resumes()) {
    for (const ServerRecord& before : known_servers(folder.path())) {
      const auto now = std::ranges::find(servers, before.teacher, &ServerRecord::teacher);
      if (now != servers.end()) compare(before, *now, options);
    }
  }
  Json kept = {{"format", 1}, {"servers", Json::array()}};
  for (const ServerRecord& server : servers) kept["servers"].push_back(json_of(server));
  write_file(file, kept.dump(2) + "\n");
}

}  // namespace alambic
