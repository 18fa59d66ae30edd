// What --data names, and in which shares it is mixed.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace alambic {

/// A file, a folder or standard input (data_rows.h) with its weight in a mixture.
struct DataSource {
  std::string name;
  double weight = 0;  ///< above 0; 0: none was given
};

/// From "NAME" or "NAME=WEIGHT" each; a path that is there with an '=' in it is a name. Input
/// errors: a weight that is not above 0, weights for some only, a name that is given twice.
std::vector<DataSource> parse_data_sources(const std::vector<std::string>& words);

/// Rows of a mixture that one after another come from the same source.
struct RowShare {
  int64_t rows = 0;
  double weight = 0;  ///< 0: there are no weights, all rows are one
};

}  // namespace alambic
