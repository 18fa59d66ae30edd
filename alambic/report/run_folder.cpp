#include "alambic/report/run_folder.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string_view>

#include "alambic/base/error.h"
#include "alambic/base/file_system.h"
#include "alambic/report/metric_info.h"
#include "alambic/report/run_files.h"

namespace alambic {
namespace {

using Json = nlohmann::ordered_json;

std::string text_of(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_null()) return "";
  if (value.is_number_float()) return fmt::format("{:.4g}", value.get<double>());
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// A prompt is a string, or chat messages whose contents are what a reader wants to see.
std::string prompt_text(const Json& prompt) {
  if (!prompt.is_array()) return text_of(prompt);
  std::string text;
  for (const Json& message : prompt) {
    if (!message.is_object() || !message.contains("content")) return text_of(prompt);
    if (!text.empty()) text += "\n\n";
    if (prompt.size() > 1 && message.contains("role")) text += text_of(message["role"]) + ": ";
    text += text_of(message["content"]);
  }
  return text;
}

std::vector<std::string> texts_of(const Json& tokens) {
  if (tokens.is_string()) return {tokens.get<std::string>()};
  std::vector<std::string> texts;
  if (!tokens.is_array()) return texts;
  for (const Json& token : tokens) texts.push_back(text_of(token));
  return texts;
}

// A token of both, or the student's tokens beside the teacher's.
std::vector<SampleSpan> spans_of(const Json& all) {
  std::vector<SampleSpan> spans;
  if (!all.is_array()) return spans;
  for (const Json& span : all) {
    const bool apart = span.is_array() && span.size() == 2;
    spans.push_back(
        {.student = texts_of(apart ? span[0] : span), .teacher = texts_of(apart ? span[1] : span)});
  }
  return spans;
}

Sample sample_of(const Json& row) {
  Sample sample;
  for (const auto& [key, value] : row.items()) {
    if (key == "step") {
      if (value.is_number_integer()) sample.step = value.get<int64_t>();
    } else if (key == "prompt") {
      sample.prompt = prompt_text(value);
    } else if (key == "completion") {
      sample.completion = prompt_text(value);
    } else if (key == "reference" || key == "answer") {
      sample.reference = text_of(value);
    } else if (key == "spans") {
      sample.spans = spans_of(value);
    } else if (key == "correct") {
      if (value.is_boolean()) sample.correct = value.get<bool>();
      if (value.is_number()) sample.correct = value.get<double>() > 0;
    } else if (!value.is_null()) {
      sample.notes.emplace_back(metric_info(key).label, text_of(value));
    }
  }
  return sample;
}

std::string name_of(const fs::path& folder) {
  const fs::path whole = full_path(folder);
  return whole.filename().empty() ? whole.string() : whole.filename().string();
}

ReportRun read_run(const fs::path& folder) {
  const fs::path metrics = folder / run_files::metrics;
  if (!path_exists(metrics)) {
    throw input_error("cannot report on {}: it has no metrics.jsonl", folder.string())
        .with_hint("give the folder that `alambic distill --out` or `alambic train --out` wrote");
  }
  ReportRun run{.name = name_of(folder), .metrics = read_metrics(metrics)};
  if (const fs::path samples = folder / run_files::samples; path_exists(samples)) {
    for (const Json& row : read_json_lines(samples)) run.samples.push_back(sample_of(row));
  }
  if (const fs::path config = folder / run_files::config; path_exists(config)) {
    run.config = read_file(config, 1 << 20);
  }
  return run;
}

ResultsRow results_row(const Json& row, const ResultsTable& table, const fs::path& path) {
  if (!row.is_object() || !row.contains("name") || !row["name"].is_string()) {
    throw input_error("cannot read {}: each row must be an object with a \"name\"", path.string());
  }
  ResultsRow result{.name = row["name"].get<std::string>()};
  const auto mark = row.find("highlight");
  result.highlighted = mark != row.end() && mark->is_boolean() && mark->get<bool>();
  for (const std::string& column : table.columns) {
    const auto value = row.find(column);
    ResultsCell& cell = result.cells.emplace_back();
    if (value == row.end()) continue;
    if (value->is_number()) {
      cell.value = value->get<double>();
    } else {
      cell.text = text_of(*value);
    }
  }
  return result;
}

std::vector<std::string> columns_of(const Json& results, const fs::path& path) {
  std::vector<std::string> columns;
  if (const auto listed = results.find("columns"); listed != results.end()) {
    const auto is_text = [](const Json& column) { return column.is_string(); };
    if (!listed->is_array() || !std::all_of(listed->begin(), listed->end(), is_text)) {
      throw input_error("cannot read {}: \"columns\" must be a list of names", path.string());
    }
    return listed->get<std::vector<std::string>>();
  }
  for (const Json& row : results["rows"]) {
    if (!row.is_object()) continue;
    for (const auto& [key, value] : row.items()) {
      const bool is_new = std::find(columns.begin(), columns.end(), key) == columns.end();
      if (value.is_number() && is_new) columns.push_back(key);
    }
  }
  return columns;
}

void join(ResultsTable& table, const ResultsTable& other) {
  for (const std::string& column : other.columns) {
    if (std::find(table.columns.begin(), table.columns.end(), column) != table.columns.end()) {
      continue;
    }
    table.columns.push_back(column);
    for (ResultsRow& row : table.rows) row.cells.emplace_back();
  }
  for (const ResultsRow& row : other.rows) {
    const auto same = [&](const ResultsRow& known) { return known.name == row.name; };
    if (std::any_of(table.rows.begin(), table.rows.end(), same)) continue;
    ResultsRow& added = table.rows.emplace_back(row);
    added.cells.assign(table.columns.size(), {});
    for (size_t i = 0; i < other.columns.size(); ++i) {
      const auto place = std::find(table.columns.begin(), table.columns.end(), other.columns[i]);
      added.cells[static_cast<size_t>(place - table.columns.begin())] = row.cells[i];
    }
  }
  if (table.note.empty()) table.note = other.note;
}

}  // namespace

ResultsTable read_results(const fs::path& path) {
  const Json results = Json::parse(read_file(path, 16 << 20), nullptr, /*allow_exceptions=*/false);
  const auto rows = results.find("rows");
  if (!results.is_object() || rows == results.end() || !rows->is_array()) {
    throw input_error("cannot read {}: it is not a JSON object with a list of \"rows\"",
                      path.string());
  }
  ResultsTable table{.columns = columns_of(results, path)};
  for (const Json& row : *rows) table.rows.push_back(results_row(row, table, path));
  if (const auto note = results.find("note"); note != results.end()) table.note = text_of(*note);
  if (const auto best = results.find("highlight"); best != results.end()) {
    for (ResultsRow& row : table.rows) row.highlighted |= row.name == text_of(*best);
  }
  return table;
}

ReportInput read_run_folder(const fs::path& folder) { return read_run_folders({folder}); }

ReportInput read_run_folders(const std::vector<fs::path>& folders) {
  ReportInput input;
  for (const fs::path& folder : folders) {
    ReportRun& run = input.runs.emplace_back(read_run(folder));
    const auto same_name = [&](const fs::path& other) {
      return other != folder && name_of(other) == name_of(folder);
    };
    if (std::any_of(folders.begin(), folders.end(), same_name)) {
      run.name = name_of(full_path(folder).parent_path()) + "/" + run.name;
    }
    if (!input.title.empty()) input.title += " and ";
    input.title += run.name;
    if (const fs::path results = folder / run_files::results; path_exists(results)) {
      join(input.results, read_results(results));
    }
  }
  return input;
}

}  // namespace alambic
