#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "alambic/text/data/data_sources.h"

namespace alambic {

/// A row as it stands in its file.
struct DataRow {
  std::string place;      ///< "train.jsonl:3", for errors
  int64_t line = 1;       ///< the line where it begins
  std::string_view text;  ///< JSON; of a plain text all of it
  bool plain = false;     ///< a file that is one text without rows
};

/// Rows of one or more data files in their order. They stay on the disk: what is held are their
/// places (row_index.h). Copies share the files.
class DataRows {
 public:
  /// Rows of a file, of a folder's files (io/data_folder.h; "FOLDER:SPLIT" chooses) or of standard
  /// input ("-"). Input errors: those of DataFile, RowIndex and data_files, no rows at all.
  static DataRows open(const std::string& name) { return open({DataSource{name}}); }
  /// Those of several, one after another.
  static DataRows open(const std::vector<DataSource>& sources);

  /// What was opened, for messages.
  const std::string& name() const;
  size_t size() const;
  DataRow row(size_t i) const;
  /// The sources' rows and weights, in order; without weights one for all of them.
  const std::vector<RowShare>& shares() const;
  /// Whether there is nothing but one plain text.
  bool is_one_text() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace alambic
