#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "alambic/text/data/data_file.h"

namespace alambic {

/// A row as it stands in its file.
struct RowText {
  std::string_view json;  ///< an object, or what else stands in its place
  int64_t line = 1;       ///< the line where it begins, counted from 1
};

/// Places of the rows in a data file: of one JSON value per line (jsonl), of values one after
/// another that take several lines, or of one list with the rows as its entries. 12 bytes per row.
/// Lines end with LF, CRLF or CR; blank ones are no rows.
class RowIndex {
 public:
  /// An input error where a list is broken: with the line, what was expected and what was found.
  /// Rows may still be broken.
  explicit RowIndex(const DataFile& file);

  size_t size() const { return begin_.size(); }
  RowText row(const DataFile& file, size_t i) const;

 private:
  enum class Form : uint8_t { lines, values, list };
  void add_lines(const DataFile& file);
  void add_values(const DataFile& file);
  void add_list(const DataFile& file, size_t at);
  void add(size_t begin, int64_t line);

  Form form_ = Form::lines;
  std::vector<uint64_t> begin_;
  std::vector<uint32_t> line_;
};

}  // namespace alambic
