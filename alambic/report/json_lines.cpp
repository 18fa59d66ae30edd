#include "alambic/report/json_lines.h"

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "alambic/base/error.h"
#include "alambic/base/file_system.h"

namespace alambic {
namespace {

using Json = nlohmann::ordered_json;

// Calls `visit(line, row)` for each whole line.
void for_each_row(const fs::path& path, const std::function<void(std::string_view, Json)>& visit) {
  const std::string bytes = read_file(path);
  std::string_view rest = bytes;
  for (int number = 1; !rest.empty(); ++number) {
    const size_t end = rest.find('\n');
    const bool last = end == std::string_view::npos;
    const std::string_view line = rest.substr(0, end);
    rest = last ? std::string_view() : rest.substr(end + 1);
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    Json row = Json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (row.is_object()) {
      visit(line, std::move(row));
    } else if (!last) {
      throw input_error("cannot read {}: line {} is not a JSON object", path.string(), number);
    }
  }
}

int64_t step_of(const Json& row) {
  const auto step = row.find("step");
  return step != row.end() && step->is_number_integer() ? step->get<int64_t>() : 0;
}

void keep_through(const fs::path& path, std::optional<int64_t> resume_step) {
  std::string kept;
  if (resume_step && path_exists(path)) {
    for_each_row(path, [&](std::string_view line, const Json& row) {
      if (step_of(row) <= *resume_step) kept.append(line) += '\n';
    });
  }
  write_file(path, kept);
}

}  // namespace

std::vector<Json> read_json_lines(const fs::path& path) {
  std::vector<Json> rows;
  for_each_row(path, [&](std::string_view, Json row) { rows.push_back(std::move(row)); });
  return rows;
}

JsonLinesWriter::JsonLinesWriter(const fs::path& path, std::optional<int64_t> resume_step)
    : file_((keep_through(path, resume_step), path)) {}

std::string JsonLinesWriter::append(const Json& row) {
  std::string line = row.dump(-1, ' ', false, Json::error_handler_t::replace);
  file_.append(line + "\n");
  return line;
}

}  // namespace alambic
