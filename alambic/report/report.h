// Contents of a report. `read_run_folder` fills it from files; any field may be left empty.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "alambic/report/metrics.h"
#include "alambic/report/svg_chart.h"

namespace alambic {

struct ResultsCell {
  std::optional<double> value = {};
  std::string text = {};  ///< text that is shown; empty: made from the value and the column's name
};

struct ResultsRow {
  std::string name = {};
  std::vector<ResultsCell> cells = {};  ///< as many as the table has columns
  bool highlighted = false;
};

/// Stages or models side by side: "student before", "distilled", "teacher".
struct ResultsTable {
  std::vector<std::string> columns = {};  ///< metric names: "accuracy", "seconds"
  std::vector<ResultsRow> rows = {};
  std::string note = {};
};

/// Tokens of a student and of a teacher with another tokenizer that write the same text; without
/// the teacher's: not compared.
struct SampleSpan {
  std::vector<std::string> student = {}, teacher = {};
};

/// One completion at one step.
struct Sample {
  int64_t step = 0;
  std::string prompt = {};
  std::string completion = {};
  std::string reference = {};        ///< the right answer; empty when not known
  std::optional<bool> correct = {};  ///< nothing when it was not checked
  std::vector<std::pair<std::string, std::string>> notes = {};  ///< other fields, as text
  std::vector<SampleSpan> spans = {};  ///< of the completion; empty where both have one tokenizer
};

struct ReportRun {
  std::string name = {};
  std::vector<MetricsRow> metrics = {};
  std::string config = {};  ///< the resolved config.toml
  std::vector<Sample> samples = {};
  /// What made its model, by its record: names with their text. Empty without a record.
  std::vector<std::pair<std::string, std::string>> record = {};
};

struct ReportInput {
  std::string title = {};
  std::string summary = {};  ///< one sentence; made from the runs when empty
  ResultsTable results = {};
  std::vector<Chart> charts = {};    ///< beside those of the runs
  std::vector<ReportRun> runs = {};  ///< several: their curves share each chart
};

}  // namespace alambic
